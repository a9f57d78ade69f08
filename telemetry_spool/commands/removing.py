"""Delete events: `rm`, `purge`."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated

import typer

from telemetry_spool import deletion
from telemetry_spool.bundle.names import Places
from telemetry_spool.bundle.outbox import outboxes
from telemetry_spool.commands import filters
from telemetry_spool.commands.console import SHORT_ID, Json, Yes, complain, confirm, fail, say
from telemetry_spool.commands.finding import complete, find
from telemetry_spool.commands.progress import Progress
from telemetry_spool.entries import SPOOLED, Entry, State, entries
from telemetry_spool.paths import Directories
from telemetry_spool.selection import ALLOWED_MOMENT, parse_moment
from telemetry_spool.tally import Tally
from telemetry_spool.text import counted, plain
from telemetry_spool.writer_settings import writer_config

DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would go; delete nothing.")]


def rm(
    events: Annotated[
        list[str],
        typer.Argument(
            metavar="ID...", help="Ids, or their beginnings, from list.", autocompletion=complete
        ),
    ],
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Delete single events from the spool or the dead letters, before they are sent.

    Safe while Flower records and the uploader sends. On a terminal it asks; elsewhere say --yes.

    Examples: telemetry-spool rm 3f2a91; telemetry-spool rm --yes 3f2a91 77c0d2
    """
    directories = writer_config().directories
    found = find(directories, events, (*SPOOLED, State.REJECTED))
    for entry in found:
        say(f"{entry.id[:SHORT_ID]}  {entry.state:<8}  {plain(entry.event_type)}")
    if dry_run:
        return
    confirm(f"Delete {counted(len(found))}?", yes=yes)
    ids = {entry.id for entry in found}
    delete(
        directories,
        (*SPOOLED, State.REJECTED),
        lambda entry: entry.id in ids,
        by="telemetry-spool rm",
    )


def purge(
    *,
    types: filters.Types = None,
    older_than: Annotated[
        str | None,
        typer.Option(
            metavar="AGE", help="Older than this: 30d, 12h.", rich_help_panel=filters.PANEL
        ),
    ] = None,
    since: filters.Since = None,
    until: filters.Until = None,
    sources: filters.Sources = None,
    clusters: filters.Clusters = None,
    states: filters.States = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Everything in the record, receipts and losses too.")
    ] = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json_: Json = False,
) -> None:
    """Delete all events of a kind, in the spool and among the dead letters.

    Says what goes, then asks; where there is no terminal, say --yes. Receipts and losses stay,
    unless --state or --all names them; bundles that were exported stay. Safe while Flower records
    and the uploader sends.

    Examples: telemetry-spool purge --older-than 30d --dry-run;
    telemetry-spool purge --state local; telemetry-spool purge --all --yes
    """
    chosen = filters.selection(
        types=types,
        since=since,
        until=_end(older_than, until),
        sources=sources,
        clusters=clusters,
        states=states,
    )
    if not (chosen.narrow or chosen.states or everything):
        fail("say what is to go: --older-than, --type, --source, --state …, or --all", os.EX_USAGE)
    usual = tuple(State) if everything else (*SPOOLED, State.REJECTED)
    wanted = tuple(chosen.states) or usual
    directories = writer_config().directories
    tally = Tally()
    found = Progress().watch(entries(directories, wanted, complain))
    for entry in filter(chosen.admits, found):
        tally.add(entry)
    removed = 0
    if not as_json_:
        for row in tally.as_text():
            say(row)
        _say_what_stays(directories)
    if tally.events and not dry_run:
        confirm(f"Delete {counted(tally.events.total())}?", yes=yes)
        removed = delete(
            directories, wanted, chosen.admits, by="telemetry-spool purge", quiet=as_json_
        )
    if as_json_:
        say(json.dumps({"found": tally.as_json(), "removed": removed}, indent=2))
    elif not tally.events:
        say("There is nothing of that kind.")


def _say_what_stays(directories: Directories) -> None:
    exported = sum(outbox.events() for outbox in outboxes(Places(directories)))
    if exported:
        say(f"Not among them: {counted(exported)} in bundles; telemetry-spool export --list")


def _end(older_than: str | None, until: str | None) -> str | None:
    """Return the earlier end of the two, as text that stands for a moment."""
    if older_than is None:
        return until
    if until is not None:
        raise typer.BadParameter("give one of --older-than and --until")
    try:
        return parse_moment(older_than, datetime.now(tz=UTC)).isoformat()
    except ValueError:
        raise typer.BadParameter(f"must be {ALLOWED_MOMENT}", param_hint="--older-than") from None


def delete(
    directories: Directories,
    states: tuple[State, ...],
    chosen: Callable[[Entry], bool],
    *,
    by: str,
    quiet: bool = False,
) -> int:
    """Delete what is chosen of these states, say what was done, and note it in the ledger.

    Returns how many events were removed. Ends the command with 75 if some could not be.
    """
    progress = Progress()
    try:
        done = deletion.delete(directories, states, progress.counting(chosen), by)
    finally:
        progress.clear()
    if not quiet:
        say(f"Deleted {counted(done.events)}.")
    for failure in done.failures:
        complain(failure)
    if done.failures:
        raise typer.Exit(os.EX_TEMPFAIL)
    return done.events
