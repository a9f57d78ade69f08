"""How many events may be sent a second: a bucket that fills with time and that events empty."""

from __future__ import annotations

import sys

_BURST_SECONDS = 1.0
"""What may be sent at once after a pause: no more than what a second allows."""

_ROUNDING = 1e-6
"""The part of an event that is never waited for: sums of times are not exact."""


class Rate:
    """Counts events. All times are seconds of the same monotonic clock."""

    __slots__ = ("_filled_at", "_holds", "_limit", "_size")

    def __init__(self, limit: float | None) -> None:
        """Allow `limit` events a second, more than 0 and as few as one in many; None: any number.

        The bucket is full at first.
        """
        self._limit = limit
        self._size = 1.0 if limit is None else max(1.0, limit * _BURST_SECONDS)
        self._holds = self._size
        self._filled_at = 0.0

    @property
    def unlimited(self) -> bool:
        """Whether any number may be sent."""
        return self._limit is None

    def allowance(self, now: float) -> int:
        """Return how many events may be sent now."""
        if self._limit is None:
            return sys.maxsize
        self._holds = min(self._size, self._holds + (now - self._filled_at) * self._limit)
        self._filled_at = now
        return max(0, int(self._holds + _ROUNDING))

    def took(self, events: int) -> None:
        """Note that so many are sent: more than may be if they go together, then they are owed."""
        if self._limit is not None:
            self._holds -= events

    def opens_at(self, now: float) -> float:
        """Return when the next event may be sent: `now`, or later."""
        if self._limit is None or self.allowance(now) >= 1:
            return now
        return now + (1.0 - self._holds) / self._limit
