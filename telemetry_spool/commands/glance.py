"""See at a glance: `status`."""

from __future__ import annotations

import json

import typer

from telemetry_spool.commands.console import Json
from telemetry_spool.overview import as_json, as_text, overview
from telemetry_spool.writer_settings import writer_config


def status(as_json_: Json = False) -> None:
    """Show the mode and the rule that decided it, the spool, the backlog, and the uploader.

    Example: telemetry-spool status --json | jq .pending.events
    """
    config = writer_config()
    state = overview(config.directories, config.mode_file, config.problems)
    typer.echo(json.dumps(as_json(state), indent=2) if as_json_ else as_text(state), nl=as_json_)
