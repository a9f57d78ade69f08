"""Count the events that arrive, and tell afterwards which are missing, doubled or not ours."""

from __future__ import annotations

import json
from array import array
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.drain.source import EVENT_BYTES

EVENT_BEGINS = b'{"event_type"'


@dataclass(frozen=True, slots=True)
class Verdict:
    """How what arrived differs from what was to arrive, in events."""

    expected: int
    arrived: int
    missing: int
    duplicated: int
    foreign: int

    @property
    def complete(self) -> bool:
        """Whether every event arrived, and nothing else; some may have arrived twice."""
        return self.missing == self.foreign == 0


class Tally:
    """64 bits of each event that was accepted: an event's own hash, as this process makes it."""

    def __init__(self, events_of: Callable[[bytes], Iterable[bytes]]) -> None:
        self._events_of = events_of
        self._hashes = array("q")
        self._times = array("d")

    @property
    def arrived(self) -> int:
        """Events accepted so far, doubles too."""
        return len(self._hashes)

    def add(self, body: bytes, now: float) -> None:
        """Count the events of a body that came in `now`."""
        if self._events_of is lines and b"\n" not in body:
            self._hashes.append(hash(body))
        else:
            self._hashes.extend(map(hash, self._events_of(body)))
        self._times.extend([now] * (len(self._hashes) - len(self._times)))

    def verdict(self, source: Path) -> Verdict:
        """Compare with the events in `source`, one a line."""
        with source.open("rb") as file:
            expected = {hash(line[:-1]) for line in file}
        seen = set(self._hashes)
        return Verdict(
            expected=len(expected),
            arrived=len(self._hashes),
            missing=len(expected - seen),
            duplicated=len(self._hashes) - len(seen),
            foreign=len(seen - expected),
        )

    def times(self, source: Path) -> list[float | None]:
        """Return when each event in `source` first came in, in its order; None if it has not."""
        first = dict(zip(reversed(self._hashes), reversed(self._times), strict=True))
        with source.open("rb") as file:
            return [first.get(hash(line[:-1])) for line in file]


def lines(body: bytes) -> Iterable[bytes]:
    """Return the events of a body that is one event, or has one a line."""
    return filter(None, body.split(b"\n"))


def bulk(body: bytes) -> Iterable[bytes]:
    """Return the events of an Elasticsearch bulk request: every other line."""
    return (line for line in body.split(b"\n") if line.startswith(EVENT_BEGINS))


def log_records(body: bytes) -> Iterable[bytes]:
    """Return the events of lines of `{"log": EVENT}`: Fluent Bit's, of what it did not parse."""
    return (json.loads(line)["log"].encode() for line in lines(body))


def embedded(body: bytes) -> Iterable[bytes]:
    """Return the events in a binary body that has their bytes as they are, as OTLP does."""
    begin = body.find(EVENT_BEGINS)
    while begin >= 0:
        yield body[begin : begin + EVENT_BYTES]
        begin = body.find(EVENT_BEGINS, begin + EVENT_BYTES)


BODIES = {"lines": lines, "bulk": bulk, "log": log_records, "embedded": embedded}
"""How a body holds its events, by the name that the sink's option has."""
