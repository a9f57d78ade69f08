"""Count all events of a state in one pass, and keep the newest of them whole, within bounds."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from telemetry_spool.page.model import Total
from telemetry_spool.page.timeline import Tally

MOST_ENTRIES = 300
"""Events of a state that are shown whole: more than anybody reads, and a page opens at once."""
MOST_BYTES = 2**20
"""Bytes of the events of a state that are shown whole; one event is, whatever its size."""

# Types are text out of events: a million different ones must not fill the memory.
_MOST_TYPES = 200
OTHER_TYPES = "(other types)"

T = TypeVar("T")


@dataclass(slots=True)
class Newest(Generic[T]):
    """The last things added, within `MOST_ENTRIES` and `MOST_BYTES`."""

    _kept: deque[tuple[int, T]] = field(default_factory=deque)
    _bytes: int = 0

    def add(self, thing: T, size: int) -> None:
        """Keep a thing of `size` bytes, and let go of the oldest ones that this leaves no room."""
        self._kept.append((size, thing))
        self._bytes += size
        while len(self._kept) > MOST_ENTRIES or (self._bytes > MOST_BYTES and len(self._kept) > 1):
            self._bytes -= self._kept.popleft()[0]

    def things(self) -> list[T]:
        """Return what is kept, the oldest first."""
        return [thing for _, thing in self._kept]


@dataclass(slots=True)
class Counting:
    """All events of a state, counted: by type, by hour, in bytes."""

    times: Tally = field(default_factory=Tally)
    _events: int = 0
    _bytes: int = 0
    _oldest: str = ""
    _newest: str = ""
    _types: Counter[str] = field(default_factory=Counter)

    def add(self, event_type: str, when: str, size: int) -> None:
        """Count one event of `size` bytes."""
        self._events += 1
        self._bytes += size
        self.times.add(when)
        if when:
            self._oldest = min(self._oldest or when, when)
            self._newest = max(self._newest, when)
        known = event_type in self._types or len(self._types) < _MOST_TYPES
        self._types[event_type if known else OTHER_TYPES] += 1

    def total(self) -> Total:
        """Return the figures."""
        return Total(self._events, self._bytes, self._oldest, self._newest, dict(self._types))
