"""The date of an event, as Flower writes it."""

from __future__ import annotations

import time
from collections.abc import Callable

_SECOND = 1_000_000_000
_MICROSECOND = 1_000


class Dates:
    """Gives the text of `datetime.now(tz=UTC).isoformat()` for half its cost.

    Only the microseconds change from one event to the next, mostly: the rest is made once a second.
    """

    def __init__(self, clock: Callable[[], int] = time.time_ns) -> None:
        """Take the nanoseconds since the epoch from `clock`."""
        self._clock = clock
        # In one: another thread may be a second ahead.
        self._made = (-1, "")

    def now(self) -> str:
        """Return date and time in UTC; like `isoformat`, without a fraction where it is zero."""
        second, nanoseconds = divmod(self._clock(), _SECOND)
        made_for, text = self._made
        if second != made_for:
            text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
            self._made = (second, text)
        microseconds = nanoseconds // _MICROSECOND
        return f"{text}.{microseconds:06}+00:00" if microseconds else f"{text}+00:00"
