"""The gate in front of the endpoint: whether it may be tried now, and how much at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from uploader import backoff
from uploader.climb import Climb
from uploader.outcome import Outcome, Verdict
from uploader.pace import Pace


class Gate:
    """Learns from outcomes. All times are seconds of the same monotonic clock."""

    def __init__(self, concurrency: int, random: Callable[[], float]) -> None:
        """Allow at most `concurrency` requests at once; `random` returns a number in [0, 1)."""
        self._climb = Climb(concurrency)
        self._pace = Pace(self._climb)
        self._random = random
        self._failures = 0
        self._closed_until = 0.0
        self._round_ended = 0.0
        self._last: Outcome | None = None

    @property
    def closed_until(self) -> float:
        """When the endpoint may be tried again; in the past if it may be tried now."""
        return self._closed_until

    @property
    def trouble(self) -> Outcome | None:
        """The outcome that makes the endpoint wait or be probed; None while it works."""
        return self._last

    @property
    def delaying(self) -> bool:
        """Whether the endpoint is made to wait, not just asked again at once."""
        return self._last is not None and (
            self._failures > 1
            or self._last.verdict is Verdict.HOLD
            or self._last.retry_after is not None
        )

    def allowance(self, now: float) -> int:
        """Return how many requests may be under way: none, one probe, or as many as go well."""
        if now < self._closed_until:
            return 0
        return 1 if self._failures else self._climb.limit

    def answered(self, now: float, sent_at: Iterable[float]) -> None:
        """Note that the endpoint accepted or rejected what was sent at these times: it works."""
        self._failures = 0
        if self._last is not None and now >= self._closed_until:
            self._last = None
        self._pace.answered(now, [now - each for each in sent_at])

    def failed(self, outcome: Outcome, now: float, *, sent_at: float) -> None:
        """Note a RETRY or HOLD of a request sent at `sent_at`.

        What had been sent before a failure was known is of one round with it: requests that were
        under way together and fail together are one sign of trouble, and count once.
        """
        self._last = outcome
        begins_round = sent_at >= self._round_ended
        if begins_round:
            self._round_ended = now
        if begins_round and outcome.verdict is Verdict.RETRY:
            self._climb.failed(at_once=not self._failures)
            self._pace.failed(now)
        if begins_round or not self._failures:
            self._failures += 1
        self._closed_until = max(self._closed_until, now + self._wait(outcome))

    def _wait(self, outcome: Outcome) -> float:
        if outcome.verdict is Verdict.HOLD:
            return backoff.hold_delay(self._random)
        if outcome.retry_after is not None:
            return max(outcome.retry_after, backoff.ASKED_SECONDS)
        return backoff.delay(self._failures, self._random)
