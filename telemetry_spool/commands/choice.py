"""Decide: `on`, `local`, `off`."""

from __future__ import annotations

import typer

from telemetry_spool import consent
from telemetry_spool.commands.console import fail
from telemetry_spool.consent import Mode
from telemetry_spool.overview import overview
from telemetry_spool.text import counted
from telemetry_spool.writer_settings import writer_config


def _choose(mode: Mode, what: str) -> None:
    config = writer_config()
    if config.mode_file is None:
        fail("no home directory to keep the choice in: set HOME")
    consent.choose(config.mode_file, mode)
    typer.echo(what)
    decided = consent.ConsentReader(config.mode_file).now()
    if decided.mode is not mode:
        typer.echo(f"Here and now the mode is {decided.mode.value} all the same: {decided.rule}.")


def on() -> None:
    """Record events and let the uploader send them. Works at once, also in running processes."""
    _choose(Mode.ON, "Events are recorded, and an uploader may send them.")


def local() -> None:
    """Record events but never send them. Works at once, also in running processes."""
    _choose(Mode.LOCAL, "Events are recorded here and not sent: nothing leaves this machine.")


def off() -> None:
    """Record nothing and send nothing. Works at once, also in running processes."""
    _choose(Mode.OFF, "Nothing is recorded and nothing is sent from now on.")
    config = writer_config()
    state = overview(config.directories, config.mode_file)
    kept = state.pending.events + state.local.events
    if kept:
        typer.echo(f"Recorded before and still in {config.directories.spool}: {counted(kept)}.")
