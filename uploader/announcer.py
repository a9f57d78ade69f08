"""Say in the log that the endpoint is in trouble, or out of it: when it matters, and not for ever.

An endpoint that fails one request in five is retried at once and needs no word; one that goes down
and comes back every second needs one a minute.
"""

from __future__ import annotations

import logging

from uploader.outcome import Outcome, Verdict

QUIET_SECONDS = 60.0
"""The same kind of trouble is not announced again within this time."""

_log = logging.getLogger(__name__)

Kind = tuple[Verdict, int | None]


class Announcer:
    """Remembers what was said. All times are seconds of the same monotonic clock."""

    def __init__(self) -> None:
        self._said_at: dict[Kind, float] = {}
        self._current: Kind | None = None

    def trouble(self, outcome: Outcome, now: float) -> None:
        """Note that the endpoint is made to wait for this outcome."""
        kind = (outcome.verdict, outcome.status)
        said_at = self._said_at.get(kind)
        if kind == self._current or (said_at is not None and now - said_at < QUIET_SECONDS):
            return
        self._current = kind
        self._said_at[kind] = now
        _log.warning("; ".join(filter(None, (outcome.reason, outcome.remedy))))

    @property
    def troubled(self) -> bool:
        """Whether trouble was announced, and not that it is over."""
        return self._current is not None

    def recovered(self) -> None:
        """Note that the endpoint works; worth a line only if its trouble was."""
        if self.troubled:
            self._current = None
            _log.info("the endpoint takes events again")
