"""Dead letters: `rejected list|show|retry|drop`."""

from __future__ import annotations

import json
import os
from typing import Annotated

import typer

from telemetry_spool import letters
from telemetry_spool.commands import look
from telemetry_spool.commands.console import (
    SHORT_ID,
    JsonLines,
    Yes,
    complain,
    confirm,
    fail,
    say,
)
from telemetry_spool.commands.finding import complete_rejected, find
from telemetry_spool.commands.removing import delete
from telemetry_spool.entries import Entry, State, entries, of_letter
from telemetry_spool.paths import Directories
from telemetry_spool.placing import place
from telemetry_spool.rewriting import rewrite
from telemetry_spool.text import counted, plain
from telemetry_spool.writer_settings import writer_config

Ids = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="ID...", help="Ids, or their beginnings.", autocompletion=complete_rejected
    ),
]
All = Annotated[bool, typer.Option("--all", help="All of them.")]

app = typer.Typer(
    help="Look at dead letters, send them again, or drop them.\n\n"
    "Example: telemetry-spool rejected list",
    no_args_is_help=True,
)


@app.command("list")
def list_(as_json_: JsonLines = False) -> None:
    """List what was set aside: id, date, type, and the reason.

    Example: telemetry-spool rejected list --json | jq .reason
    """
    look.list_(states=[State.REJECTED], as_json_=as_json_)


@app.command()
def show(
    event: Annotated[
        str,
        typer.Argument(
            metavar="ID", help="The id, or its beginning.", autocompletion=complete_rejected
        ),
    ],
) -> None:
    """Show one dead letter: why it was refused, what was answered, and its content.

    Example: telemetry-spool rejected show 3f2a91
    """
    (entry,) = find(writer_config().directories, [event], [State.REJECTED])
    body = entry.body or b""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        content = body.decode("utf-8", "surrogateescape")
    say(json.dumps({"id": entry.id, **entry.more, "content": content}, indent=2))


@app.command()
def retry(events: Ids = None, every: All = False) -> None:
    """Put dead letters back into the spool: the uploader sends them again, byte for byte.

    What the endpoint refused for a reason that has not gone comes back here. What the setting
    strict holds is let go by this.

    Examples: telemetry-spool rejected retry 3f2a91; telemetry-spool rejected retry --all
    """
    directories = writer_config().directories
    chosen = _chosen(directories, events, every=every)
    if not chosen:
        say("There is nothing to send again.")
        return
    # Into the spool first: a crash in between leaves an event in both places, never in neither.
    for held in (False, True):
        bodies = [entry.body or b"" for entry in chosen.values() if _is_held(entry) is held]
        if bodies:
            place(str(directories.spool), bodies, released=held)
    done = rewrite(
        letters.dead_letter_journal(directories),
        lambda text: None if (letter := of_letter(text, "")) and letter.id in chosen else text,
    )
    say(f"Back in the spool: {counted(len(chosen))}.")
    for failure in done.failures:
        complain(f"{failure} (the event is in the spool all the same)")
    if done.failures:
        raise typer.Exit(os.EX_TEMPFAIL)


@app.command()
def drop(events: Ids = None, every: All = False, yes: Yes = False) -> None:
    """Delete dead letters.

    Examples: telemetry-spool rejected drop 3f2a91; telemetry-spool rejected drop --all --yes
    """
    directories = writer_config().directories
    chosen = _chosen(directories, events, every=every)
    if not chosen:
        say("There is nothing to drop.")
        return
    for entry in chosen.values():
        say(f"{entry.id[:SHORT_ID]}  {plain(entry.event_type)}: {plain(_reason(entry))}")
    confirm(f"Delete {counted(len(chosen))}?", yes=yes)
    by = "telemetry-spool rejected drop"
    delete(directories, (State.REJECTED,), lambda entry: entry.id in chosen, by=by)


def _is_held(entry: Entry) -> bool:
    return _reason(entry).startswith(letters.HELD)


def _reason(entry: Entry) -> str:
    return str(entry.more.get("reason"))


def _chosen(directories: Directories, events: list[str] | None, *, every: bool) -> dict[str, Entry]:
    """Return the letters that a person means, once for each id."""
    if every == bool(events):
        fail("name ids from telemetry-spool rejected list, or say --all", os.EX_USAGE)
    found = (
        entries(directories, [State.REJECTED], complain)
        if every
        else find(directories, events or [], [State.REJECTED])
    )
    return {entry.id: entry for entry in found}
