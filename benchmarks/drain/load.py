"""How many requests an endpoint had under way, and whether that was too many."""

from __future__ import annotations

import heapq
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figures:
    """Requests from the first to the last answer; times are of the monotonic clock."""

    requests: int
    refused: int
    mean_in_flight: float
    """Accepted ones, averaged over time: 0 where answers do not wait."""
    most_in_flight: int
    first_at: float
    last_at: float
    """When the last request was accepted, or the first came if none was."""


class Load:
    """Counts requests; at most `limit` are under way at once, where there is a limit."""

    def __init__(self, limit: int | None = None) -> None:
        self._limit = limit
        self._requests = self._refused = self._in_flight = self._most = 0
        self._first_at = self._last_at = self._changed_at = self._area = 0.0

    def begin(self, now: float) -> bool:
        """Count a request that has come in; return whether it is to be accepted."""
        self._requests += 1
        if self._requests == 1:
            self._first_at = self._last_at = self._changed_at = now
        if self._limit is not None and self._in_flight >= self._limit:
            self._refused += 1
            return False
        self._change(now, 1)
        self._most = max(self._most, self._in_flight)
        return True

    def end(self, now: float, accepted: bool) -> None:
        """Count an answer."""
        if accepted:
            self._change(now, -1)
            self._last_at = now

    def _change(self, now: float, by: int) -> None:
        self._area += self._in_flight * (now - self._changed_at)
        self._changed_at = now
        self._in_flight += by

    def figures(self) -> Figures:
        """Return what was counted."""
        seconds = self._last_at - self._first_at
        return Figures(
            requests=self._requests,
            refused=self._refused,
            mean_in_flight=self._area / seconds if seconds else 0.0,
            most_in_flight=self._most,
            first_at=self._first_at,
            last_at=self._last_at,
        )


class Workers:
    """What an endpoint takes for its answers: all at once, or so many, and the others wait."""

    def __init__(self, seconds: float, count: int | None = None) -> None:
        """Take `seconds` for each request, for `count` of them at a time if there is a count."""
        self._seconds = seconds
        self._count = count
        self._free_at: list[float] = []

    def answers_at(self, now: float) -> float:
        """Take a request that has come in; return when it is answered."""
        begins = now
        if self._count is not None:
            if len(self._free_at) >= self._count:
                begins = max(now, heapq.heappop(self._free_at))
            heapq.heappush(self._free_at, begins + self._seconds)
        return begins + self._seconds
