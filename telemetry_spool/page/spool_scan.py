"""Read the spool once: count what is in it, keep the newest events and those sent next."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from telemetry_spool.consent import Mode
from telemetry_spool.entries import NO_EVENT, Complain, Entry, State, of_line, state_of
from telemetry_spool.events import Event, parse
from telemetry_spool.listing import SegmentFile, list_segments, pending_lines
from telemetry_spool.page.tally import Counting, Newest
from telemetry_spool.paths import Kind
from telemetry_spool.segment import Line
from telemetry_spool.writer_settings import LARGEST_EVENT_BYTES

_NAMED = 3

_TYPE, _DATE = b'{"event_type": "', b'"date": "'
# A longer type is cut where it is shown: the slower way does that.
_QUICK_TYPE_BYTES = 100


@dataclass(slots=True)
class SpoolScan:
    """What one pass over the spool found: `next_up` counts what the next upload would send."""

    counts: dict[State, Counting] = field(
        default_factory=lambda: {State.PENDING: Counting(), State.LOCAL: Counting()}
    )
    next_up: int = 0
    first: list[Entry] = field(default_factory=list)
    _newest: dict[State, Newest[tuple[SegmentFile, Line]]] = field(
        default_factory=lambda: {State.PENDING: Newest(), State.LOCAL: Newest()}
    )

    def add(self, segment: SegmentFile, line: Line, mode: Mode) -> None:
        """Count a line, and keep it while it is among the newest."""
        state = state_of(segment.kind)
        self.counts[state].add(*_labels(line), line.end - line.start)
        self._newest[state].add((segment, line), len(line.data))
        if state is State.PENDING and _goes(segment, mode):
            self.next_up += 1
            if len(self.first) < _NAMED:
                self.first.append(_entry(segment, line))

    def entries(self) -> Iterator[Entry]:
        """Yield the newest events of both states."""
        for newest in self._newest.values():
            for segment, line in newest.things():
                yield _entry(segment, line)


def scan_spool(directory: Path, mode: Mode, complain: Complain) -> SpoolScan:
    """Read every segment; what cannot be read is given to `complain` in one line.

    Raises OSError if the directory cannot be listed.
    """
    scan = SpoolScan()
    for segment in list_segments(str(directory)):
        try:
            for line in pending_lines(segment, limit=LARGEST_EVENT_BYTES):
                scan.add(segment, line, mode)
        except OSError as error:
            complain(f"{segment.path} cannot be read: {error.strerror}")
    return scan


def _goes(segment: SegmentFile, mode: Mode) -> bool:
    return mode is Mode.ON or (mode is Mode.LOCAL and segment.kind is Kind.RELEASED)


def _labels(line: Line) -> tuple[str, str]:
    """Return the type and the date of an event, for counting.

    A line as Flower writes it is not parsed: a million of them would take ten seconds. In JSON, a
    quote within a string has a backslash before it, so what is found here is a key and its value.
    """
    data = line.data
    if data.startswith(_TYPE) and data.count(_DATE) == 1 and not line.cut:
        kind = data[len(_TYPE) : data.find(b'"', len(_TYPE))]
        start = data.find(_DATE) + len(_DATE)
        date = data[start : data.find(b'"', start)]
        if len(kind) <= _QUICK_TYPE_BYTES and b"\\" not in kind and kind.isascii():
            return kind.decode(), date.decode(errors="replace")
    event = parse(line)
    return (event.event_type, event.date) if isinstance(event, Event) else (NO_EVENT, "")


def _entry(segment: SegmentFile, line: Line) -> Entry:
    more = {"cut": f"only the first {len(line.data):,} bytes are shown"} if line.cut else None
    return of_line(line, state_of(segment.kind), segment.name, more)
