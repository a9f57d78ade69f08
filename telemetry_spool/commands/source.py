"""The source id: `source show|reset|forget`."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from telemetry_spool.commands.console import Json, Yes, complain, confirm, fail, say
from telemetry_spool.commands.progress import Progress
from telemetry_spool.entries import SPOOLED, State, entries
from telemetry_spool.forgetting import deletion_request, forget
from telemetry_spool.identity import NO_SOURCES, source_file, source_id
from telemetry_spool.text import counted, plain
from telemetry_spool.writer_settings import writer_config

_STATES = (*SPOOLED, State.REJECTED)
_NEXT = (
    "The next process that records an event makes a new, random one; processes that run now keep "
    "the old one until they end."
)

app = typer.Typer(
    help="See, change or forget the source id.\n\nExample: telemetry-spool source show",
    no_args_is_help=True,
)


@app.command()
def show(as_json_: Json = False) -> None:
    """Show the random id by which Flower tells this user's installations apart, and its file.

    Example: telemetry-spool source show
    """
    source = source_id(create=False)
    under = _under(source)
    if as_json_:
        found = {state.value: under[state] for state in _STATES}
        say(json.dumps({"source": source, "file": str(_file()), "events": found}, indent=2))
        return
    say(f"{'source':<10} {plain(source)}")
    say(f"{'file':<10} {_file()}")
    for state in _STATES:
        if under[state]:
            say(f"{state:<10} {counted(under[state])} with it")


@app.command()
def reset() -> None:
    """Delete the source id. Flower makes a new one, unrelated to the old one.

    Example: telemetry-spool source reset
    """
    file = _file()
    try:
        file.unlink()
    except FileNotFoundError:
        say(f"There is no source id in {file}.")
        return
    say(f"Deleted {file}. {_NEXT}")


@app.command("forget")
def forget_(
    source: Annotated[
        str | None, typer.Argument(metavar="[SOURCE]", help="Default: the one in use.")
    ] = None,
    yes: Yes = False,
    open_: Annotated[
        bool, typer.Option("--open", help="Open the deletion request in the mail program.")
    ] = False,
) -> None:
    """Delete everything here under a source id, and the id; write the request to delete the rest.

    What was sent, only Flower can delete: the request is printed, and sent by nobody but you.

    Examples: telemetry-spool source forget; telemetry-spool source forget --open
    """
    known = source_id(create=False)
    forgotten = (source or known).strip().lower()
    if not forgotten or forgotten in NO_SOURCES:
        fail(f"there is no source id in {_file()}: name the one to forget")
    number = _under(forgotten).total()
    confirm(f"Delete {counted(number)} under {plain(forgotten)}, and the id?", yes=yes)
    done = forget(writer_config().directories, forgotten, "telemetry-spool source forget")
    say(f"Deleted {counted(done.events)}.")
    if forgotten == known:
        _file().unlink(missing_ok=True)
        say(f"Deleted {_file()}. {_NEXT}")
    letter = deletion_request(plain(forgotten))
    say("\nTo have deleted what was sent, write to Flower:\n")
    say(f"To: {letter.to}\nSubject: {letter.subject}\n\n{letter.body}")
    for failure in done.failures:
        complain(failure)
    if open_ and typer.launch(letter.url):
        complain(f"no mail program could be opened: write to {letter.to} by hand")
    if done.failures:
        raise typer.Exit(os.EX_TEMPFAIL)


def _file() -> Path:
    try:
        return source_file()
    except RuntimeError:
        fail("no home directory to look for a source id in: set FLWR_HOME")


def _under(source: str) -> Counter[State]:
    """Count the events here under a source id."""
    directories = writer_config().directories
    found = Progress().watch(entries(directories, _STATES, complain))
    return Counter(entry.state for entry in found if entry.source == source)
