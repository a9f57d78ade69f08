"""Gather what the page shows: the state of all, spool and records, and what a field says here."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from telemetry_spool import __version__, paths
from telemetry_spool.consent import Consent, by_environment
from telemetry_spool.entries import Entry, State
from telemetry_spool.events import Event, parse
from telemetry_spool.headers import headers, on_the_wire
from telemetry_spool.overview import overview
from telemetry_spool.page.model import Next, Page, when
from telemetry_spool.page.record_scan import RecordScan, scan_records
from telemetry_spool.page.spool_scan import SpoolScan, scan_spool
from telemetry_spool.page.timeline import Timeline, timeline
from telemetry_spool.schema import fields, pages
from telemetry_spool.segment import Line
from telemetry_spool.selection import moment_of
from telemetry_spool.writer_settings import WriterConfig

# Longer values are for the events themselves.
_SEEN_CHARACTERS = 80


def gather(config: WriterConfig, now: datetime, refresh: int | None = None) -> Page:
    """Read everything that the page shows; a file that cannot be read becomes a problem on it.

    `now` is in UTC, `refresh` in seconds: when to look at the file again, if it is kept up to date.
    Raises OSError if a directory cannot be listed.
    """
    state = overview(config.directories, config.mode_file, config.problems)
    problems = list(state.problems)

    def complain(problem: str) -> None:
        if problem not in problems:
            problems.append(problem)

    spool = scan_spool(config.directories.spool, state.consent.mode, complain)
    records = scan_records(config.directories, complain)
    newest = sorted([*spool.entries(), *records.entries()], key=_moment, reverse=True)
    return Page(
        now=now,
        host=os.uname().nodename,
        version=__version__,
        state=state,
        forced=_forced(state.consent),
        problems=tuple(problems),
        totals={
            state: counting.total() for state, counting in (spool.counts | records.counts).items()
        },
        losses=tuple(sorted(records.losses.values(), key=lambda loss: loss.last, reverse=True)),
        entries=tuple(newest),
        next=Next(spool.next_up, tuple(spool.first), _headers(spool.first)),
        timeline=_timeline(spool, records, now),
        fields=fields(),
        seen=_seen(reversed(newest)),
        pages=tuple(pages()),
        refresh=refresh,
    )


def _forced(consent: Consent) -> str:
    if by_environment(os.environ) is not None:
        return (
            "An environment variable decides this, where this page was made and in every program "
            "that has it: to choose for yourself, unset the variable named above."
        )
    if str(paths.POLICY_FILE) in consent.rule:
        return (
            f"The administrator of this machine decides this, in {paths.POLICY_FILE}: your choice "
            "can be more private than that, and nothing else."
        )
    return ""


def _moment(entry: Entry) -> float:
    found = moment_of(when(entry))
    return found.timestamp() if found else 0.0


def _timeline(spool: SpoolScan, records: RecordScan, now: datetime) -> Timeline:
    counted = spool.counts | records.counts
    shown = [State.PENDING, State.LOCAL, State.SENT, State.REJECTED]
    if not counted[State.LOCAL].total().events:
        shown.remove(State.LOCAL)
    tallies = {state.value: counted[state].times for state in shown}
    return timeline(tallies | {State.LOST.value: records.lost}, now)


def _event(entry: Entry) -> Event | None:
    body = entry.body or b""
    event = parse(Line(0, len(body) + 1, body))
    return event if isinstance(event, Event) else None


def _headers(first: list[Entry]) -> Mapping[str, str]:
    """Return the headers of the first request; none if nothing goes, or what goes is no event."""
    event = _event(first[0]) if first else None
    return on_the_wire(event.body, headers(event)) if event else {}


def _seen(oldest_first: Iterable[Entry]) -> Mapping[str, str]:
    """Return the value of each field, by path, in the newest event that has it."""
    found: dict[str, str] = {}
    for entry in oldest_first:
        event = _event(entry)
        if event is not None:
            found |= _values(json.loads(event.body))
    return found


def _values(event: Mapping[str, Any]) -> dict[str, str]:
    """Return what an event has in the fields of the schema, as short text."""
    found = {}
    for each in fields():
        value: Any = event
        for name in each.path.split("."):
            value = value.get(name) if isinstance(value, dict) else None
        if value is not None:
            text = value if isinstance(value, str) else json.dumps(value)
            cut = len(text) > _SEEN_CHARACTERS
            found[each.path] = text[:_SEEN_CHARACTERS] + ("…" if cut else "")
    return found
