"""The subcommands of `telemetry-spool`, by what a person wants; `telemetry_spool.cli` has them."""
