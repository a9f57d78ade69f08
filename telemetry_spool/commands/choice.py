"""Decide: `on`, `local`, `off`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from telemetry_spool import consent, dropbox
from telemetry_spool.commands import removing
from telemetry_spool.commands.console import complain, fail, say
from telemetry_spool.commands.progress import Progress
from telemetry_spool.consent import Mode
from telemetry_spool.entries import SPOOLED, entries
from telemetry_spool.tally import Tally
from telemetry_spool.text import counted
from telemetry_spool.writer_settings import writer_config


def _choose(mode: Mode, what: str) -> None:
    config = writer_config()
    if config.mode_file is None:
        fail("no home directory to keep the choice in: set HOME")
    consent.choose(config.mode_file, mode)
    spool = config.directories.spool
    if dropbox.is_served(str(spool)):
        dropbox.tell(spool, mode.value)
    say(what)
    decided = consent.ConsentReader(config.mode_file).now()
    if decided.mode is not mode:
        say(f"Here and now the mode is {decided.mode.value} all the same: {decided.rule}.")


def on() -> None:
    """Record events and let the uploader send them. Works at once, also in running processes.

    Example: telemetry-spool on
    """
    _choose(Mode.ON, "Events are recorded, and an uploader may send them.")


def local() -> None:
    """Record events but never send them. Works at once, also in running processes.

    Example: telemetry-spool local
    """
    _choose(Mode.LOCAL, "Events are recorded here and not sent: nothing leaves this machine.")


def off(
    delete: Annotated[
        bool | None,
        typer.Option("--delete/--keep", help="Delete what was recorded before, or keep it."),
    ] = None,
) -> None:
    """Record nothing and send nothing. Works at once, also in running processes.

    Offers to delete what was recorded before and not sent: on a terminal it asks, elsewhere it
    keeps it unless --delete is given.

    Examples: telemetry-spool off; telemetry-spool off --delete
    """
    _choose(Mode.OFF, "Nothing is recorded and nothing is sent from now on.")
    directories = writer_config().directories
    if dropbox.is_served(str(directories.spool)):
        say(f"Of what was recorded before, the service of {directories.spool} sends nothing.")
    tally = Tally()
    for entry in Progress().watch(entries(directories, SPOOLED, complain)):
        tally.add(entry)
    if not tally.events:
        return
    say(f"Recorded before and still in {directories.spool}: {counted(tally.events.total())}.")
    if delete is None and sys.stdin.isatty() and sys.stderr.isatty():
        sys.stdout.flush()
        delete = typer.confirm("Delete them?", err=True)
    if delete:
        removing.delete(directories, SPOOLED, lambda _: True, by="telemetry-spool off")
