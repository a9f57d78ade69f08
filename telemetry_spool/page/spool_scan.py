"""Read the spool once: count everything in it, keep the newest events and those sent next."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from telemetry_spool.events import Event, parse
from telemetry_spool.listing import SegmentFile, list_segments, pending_lines
from telemetry_spool.page.model import Entry, State
from telemetry_spool.page.tally import Counting, Newest
from telemetry_spool.schema import fields
from telemetry_spool.segment import Line, event_id
from telemetry_spool.writer_settings import LARGEST_EVENT_BYTES

NEXT_UP = 3
"""Events that are named as the next ones to be sent."""

_NOT_AN_EVENT = "(not an event)"
_TYPE, _DATE = b'{"event_type": "', b'"date": "'
# Longer values are for the events themselves.
_SEEN_CHARACTERS = 80
# A longer type is cut where it is shown: the slower way does that.
_QUICK_TYPE_BYTES = 100


@dataclass(slots=True)
class SpoolScan:
    """What one pass over the spool found."""

    counts: dict[State, Counting] = field(
        default_factory=lambda: {State.PENDING: Counting(), State.LOCAL: Counting()}
    )
    newest: dict[State, Newest[tuple[SegmentFile, Line]]] = field(
        default_factory=lambda: {State.PENDING: Newest(), State.LOCAL: Newest()}
    )
    next_up: list[Entry] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def entries(self) -> list[Entry]:
        """Return the newest events of both states, whole."""
        return [
            _entry(state, segment, line)
            for state, newest in self.newest.items()
            for segment, line in newest.things()
        ]

    def seen(self) -> Mapping[str, str]:
        """Return the value of each field, by path, in the newest event that has it."""
        found: dict[str, str] = {}
        for newest in self.newest.values():
            for _, line in newest.things():
                event = parse(line)
                if isinstance(event, Event):
                    found |= _values(json.loads(event.body))
        return found


def scan_spool(directory: Path) -> SpoolScan:
    """Read every segment; what cannot be read becomes a problem."""
    scan = SpoolScan()
    try:
        segments = list_segments(str(directory))
    except OSError as error:
        scan.problems.append(f"{directory} cannot be listed: {error.strerror}")
        return scan
    for segment in segments:
        try:
            _scan_segment(scan, segment)
        except OSError as error:
            scan.problems.append(f"{segment.path} cannot be read: {error.strerror}")
    return scan


def _scan_segment(scan: SpoolScan, segment: SegmentFile) -> None:
    state = State.LOCAL if segment.kind.local else State.PENDING
    counting, newest = scan.counts[state], scan.newest[state]
    for line in pending_lines(segment, limit=LARGEST_EVENT_BYTES):
        counting.add(*_labels(line), line.end - line.start)
        newest.add((segment, line), len(line.data))
        if state is State.PENDING and len(scan.next_up) < NEXT_UP:
            scan.next_up.append(_entry(state, segment, line))


def _labels(line: Line) -> tuple[str, str]:
    """Return the type and the date of an event, for counting.

    A line as Flower writes it is not parsed: a million of them would take ten seconds. In JSON, a
    quote within a string has a backslash before it, so what is found here is a key and its value.
    """
    data = line.data
    if data.startswith(_TYPE) and data.count(_DATE) == 1 and not line.cut:
        event_type = data[len(_TYPE) : data.find(b'"', len(_TYPE))]
        start = data.find(_DATE) + len(_DATE)
        date = data[start : data.find(b'"', start)]
        if (
            len(event_type) <= _QUICK_TYPE_BYTES
            and b"\\" not in event_type
            and event_type.isascii()
        ):
            return event_type.decode(), date.decode(errors="replace")
    event = parse(line)
    if isinstance(event, Event):
        return event.event_type, event.date
    return _NOT_AN_EVENT, ""


def _entry(state: State, segment: SegmentFile, line: Line) -> Entry:
    event = parse(line)
    facts = [("Size", f"{line.end - line.start - 1:,} bytes")]
    if isinstance(event, Event):
        event_type, date = event.event_type, event.date
    else:
        event_type, date = _NOT_AN_EVENT, ""
        facts.append(("Not an event", f"{event.reason}; it will be set aside, not sent"))
    if line.cut:
        facts.append(("Shown", f"only the first {len(line.data):,} bytes"))
    return Entry(
        state=state,
        id=event_id(line.data),
        event_type=event_type,
        when=date,
        file=segment.name,
        content=line.data.decode("utf-8", "surrogateescape"),
        facts=tuple(facts),
    )


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
