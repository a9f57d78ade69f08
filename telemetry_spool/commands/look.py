"""Look at events: `list`, `show`, `tail`."""

from __future__ import annotations

import json
import sys
import threading
from itertools import islice
from typing import Annotated

import typer

from telemetry_spool.commands import filters
from telemetry_spool.commands.console import (
    SHORT_ID,
    JsonLines,
    columns,
    complain,
    fail,
    say,
)
from telemetry_spool.commands.finding import complete, find
from telemetry_spool.commands.progress import Progress
from telemetry_spool.entries import SPOOLED, Entry, State, as_json, entries
from telemetry_spool.explaining import explained
from telemetry_spool.following import Follower
from telemetry_spool.text import plain
from telemetry_spool.writer_settings import writer_config

# Below this a row is put together from shorter pieces.
_NARROW_COLUMNS = 72

# Twice as often nobody would notice, and half as often everybody.
_FOLLOW_SECONDS = 0.25


def list_(
    *,
    types: filters.Types = None,
    since: filters.Since = None,
    until: filters.Until = None,
    sources: filters.Sources = None,
    clusters: filters.Clusters = None,
    states: filters.States = None,
    limit: Annotated[int | None, typer.Option(min=0, help="Show at most this many.")] = None,
    as_json_: JsonLines = False,
) -> None:
    """List events, the oldest file first: id, date, state, type.

    Without --state, those in the spool: pending and local. Times are in UTC.

    Examples: telemetry-spool list --since 7d --type 'RUN_*';
    telemetry-spool list --state sent --limit 20; telemetry-spool list --json | jq .event_type
    """
    chosen = filters.selection(
        types=types, since=since, until=until, sources=sources, clusters=clusters, states=states
    )
    found = entries(writer_config().directories, chosen.states or SPOOLED, complain)
    for entry in islice(filter(chosen.admits, found), limit):
        _print(entry, as_json_=as_json_)


def show(
    event: Annotated[
        str,
        typer.Argument(
            help="The id, or its beginning, from telemetry-spool list.", autocompletion=complete
        ),
    ],
    raw: Annotated[bool, typer.Option("--raw", help="Print the exact bytes.")] = False,
    explain: Annotated[
        bool, typer.Option("--explain", help="Say of each field what it is and why it is sent.")
    ] = False,
) -> None:
    """Show one event: exactly what is, would be, or (with keep_sent) was sent.

    Examples: telemetry-spool show 3f2a91; telemetry-spool show --explain 3f2a91;
    telemetry-spool show --raw 3f2a91 | sha256sum
    """
    states = (*SPOOLED, State.REJECTED, State.SENT)
    (entry,) = find(writer_config().directories, [event], states)
    if entry.body is None:
        fail(
            f"event {entry.id[:SHORT_ID]} was sent at {plain(str(entry.more.get('sent_at')))} and "
            "its content was not kept: set keep_sent = true to keep it from now on"
        )
    if raw:
        sys.stdout.buffer.write(entry.body)
        return
    try:
        content = json.loads(entry.body)
        said = _explanation(content) if explain else json.dumps(content, indent=2)
    except (ValueError, RecursionError):
        said = plain(entry.body.decode("utf-8", "backslashreplace"))
    say(said)


def _explanation(content: object) -> str:
    return "\n".join(
        plain(line)
        for value, lines in explained(content)
        for line in (value, *(f"    {text}" for text in lines))
    )


def tail(
    *,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what comes, until Ctrl-C.")
    ] = False,
    number: Annotated[
        int, typer.Option("--lines", "-n", min=0, help="How many of the last ones.")
    ] = 10,
    types: filters.Types = None,
    sources: filters.Sources = None,
    clusters: filters.Clusters = None,
    as_json_: JsonLines = False,
) -> None:
    """Show the last events that were recorded and, with -f, each new one as it comes.

    An event that the uploader sends before it is seen here is shown as sent, from its receipt.

    Examples: telemetry-spool tail -f; telemetry-spool tail -n 3 --json
    """
    chosen = filters.selection(types=types, sources=sources, clusters=clusters)
    follower = Follower(writer_config().directories, complain)
    progress = Progress()
    last = follower.last(number, progress.counting(chosen.admits))
    progress.clear()
    for entry in last:
        _print(entry, as_json_=as_json_)
    pause = threading.Event()
    try:
        while follow:
            sys.stdout.flush()
            pause.wait(_FOLLOW_SECONDS)
            for entry in filter(chosen.admits, follower.news()):
                _print(entry, as_json_=as_json_)
    except KeyboardInterrupt:
        return


def _print(entry: Entry, *, as_json_: bool) -> None:
    if as_json_:
        say(json.dumps(as_json(entry)))
    elif columns() < _NARROW_COLUMNS:
        say(f"{entry.id[:8]:<8} {plain(entry.date[:10]):<10} {entry.state} {_named(entry)}")
    else:
        state = f"{entry.state:<8}"
        say(f"{entry.id[:SHORT_ID]:<12}  {plain(entry.date):<32}  {state}  {_named(entry)}")


def _named(entry: Entry) -> str:
    """Return what an event is called, and what happened to it where that needs a reason."""
    if entry.state is State.LOST:
        return f"{entry.count:,} lost: {plain(str(entry.more.get('reason')))}"
    name = plain(entry.event_type) or "(no event_type)"
    reason = entry.more.get("reason") if entry.state is State.REJECTED else None
    return f"{name}: {plain(str(reason))}" if reason else name
