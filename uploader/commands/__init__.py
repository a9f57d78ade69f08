"""The subcommands of `telemetry-uploader`, as plain functions."""
