"""Summaries: `stats`, `preview`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from telemetry_spool.charts import bars
from telemetry_spool.commands import filters
from telemetry_spool.commands.console import Json, columns, complain, prints, say
from telemetry_spool.commands.progress import Progress
from telemetry_spool.consent import Consent, ConsentReader, Mode
from telemetry_spool.entries import Entry, State, entries
from telemetry_spool.events import Event, parse
from telemetry_spool.figures import Figures, figures
from telemetry_spool.headers import headers, on_the_wire
from telemetry_spool.paths import Directories, Kind, kind_of
from telemetry_spool.segment import Line
from telemetry_spool.text import counted, plain
from telemetry_spool.writer_settings import writer_config

_DAYS = 14
_NARROWEST, _WIDEST = 20, 80

_TITLES = {"states": "By state", "types": "By type", "versions": "By Flower version"}


def stats(
    *,
    types: filters.Types = None,
    since: filters.Since = None,
    until: filters.Until = None,
    sources: filters.Sources = None,
    clusters: filters.Clusters = None,
    states: filters.States = None,
    as_json_: Json = False,
) -> None:
    """Count the events that are known here by state, type, Flower version and day (UTC).

    Of sent events the receipts are counted: these have no version, source and cluster.

    Examples: telemetry-spool stats; telemetry-spool stats --since 7d --json | jq .types
    """
    chosen = filters.selection(
        types=types, since=since, until=until, sources=sources, clusters=clusters, states=states
    )
    found = entries(writer_config().directories, chosen.states or tuple(State), complain)
    counts = figures(filter(chosen.admits, Progress().watch(found))).as_json()
    if as_json_:
        say(json.dumps(counts, indent=2))
        return
    if not counts["states"]:
        say("There are no events.")
        return
    for name, title in _TITLES.items():
        _chart(title, counts[name])
    days = list(counts["days"].items())
    earlier = f", {len(days) - _DAYS} earlier ones left out" if len(days) > _DAYS else ""
    _chart(f"By day{earlier}", dict(days[-_DAYS:]))


def _chart(title: str, counts: dict[str, int]) -> None:
    if counts:
        say(title)
        width = max(_NARROWEST, min(columns(), _WIDEST))
        for row in bars(counts, width, ascii_only=not prints("█")):
            say(row)


@dataclass(slots=True)
class _Upload:
    """What an upload would send: events, bytes of their bodies, and the first of them."""

    events: int = 0
    bytes: int = 0
    first: Event | None = None

    def add(self, entry: Entry) -> None:
        """Count an event; what is none goes to the dead letters and is not sent."""
        body = entry.body or b""
        event = parse(Line(0, len(body) + 1, body))
        if isinstance(event, Event):
            self.first = self.first or event
            self.events += 1
            self.bytes += len(body)


def preview(
    days: Annotated[int, typer.Option(min=1, help="Look back this many days.")] = 7,
    as_json_: Json = False,
) -> None:
    """Show what the next upload would send: how much, and the first request, header by header.

    Then what the last days come to, had the mode been on. Opens no connection.

    Examples: telemetry-spool preview; telemetry-spool preview --days 30 --json
    """
    config = writer_config()
    consent = ConsentReader(config.mode_file).now()
    upload, past = _look(config.directories, consent.mode, days)
    request = _request(upload.first)
    if as_json_:
        row = {
            "mode": consent.mode.value,
            "events": upload.events,
            "bytes": upload.bytes,
            "first": request,
            "days": days,
            "had_the_mode_been_on": past,
        }
        say(json.dumps(row, indent=2))
        return
    _say_upload(consent, upload, request)
    say(
        f"The last {days} days, had the mode been on: {counted(sum(past.values()))} "
        f"({', '.join(f'{number:,} {state}' for state, number in past.items())})."
    )


def _look(directories: Directories, mode: Mode, days: int) -> tuple[_Upload, dict[str, int]]:
    """Return what the next upload would send, and what was recorded in the last days, by state."""
    upload, recent = _Upload(), Figures()
    chosen = filters.selection(since=(datetime.now(tz=UTC) - timedelta(days=days)).isoformat())
    states = (State.PENDING, State.LOCAL, State.SENT, State.REJECTED)
    for entry in Progress().watch(entries(directories, states, complain)):
        if entry.state is State.PENDING and _goes(entry, mode):
            upload.add(entry)
        if chosen.admits(entry):
            recent.add(entry)
    return upload, {state.value: recent.states[state.value] for state in states}


def _goes(entry: Entry, mode: Mode) -> bool:
    released = kind_of(entry.file) is Kind.RELEASED
    return mode is Mode.ON or (mode is Mode.LOCAL and released)


def _request(event: Event | None) -> dict[str, object] | None:
    if event is None:
        return None
    body = event.body.decode("utf-8", "backslashreplace")
    return {"headers": on_the_wire(event.body, headers(event)), "body": body}


def _say_upload(consent: Consent, upload: _Upload, request: dict[str, object] | None) -> None:
    say(f"The mode is {consent.mode.value} ({consent.rule}).")
    if upload.first is None or request is None:
        say("The next upload would send nothing.")
        return
    size = f"{counted(upload.events)}, {upload.bytes:,} bytes"
    say(f"The next upload would send {size}, one request each. The first:")
    say("")
    for name, value in on_the_wire(upload.first.body, headers(upload.first)).items():
        say(f"  {name}: {value}")
    say("")
    say(f"  {plain(str(request['body']))}")
    say("")
