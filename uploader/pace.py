"""How long answers take, and what that says about how many requests should be under way at once.

While answers take no longer than they did, more requests at once are faster. When they take longer,
the limit is halved to see why: if answers get faster, requests only waited for each other; if not,
the way has become longer, and the limit is put back.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from uploader.climb import Climb

_FEWEST_ANSWERS = 32
"""The answers that a judgement needs: of fewer, a few slow ones would be most of them."""

_SHORTEST_SECONDS = 0.003
"""Shorter answers are all the same: they show how busy this process is, and it does less for each
request the more it has under way."""

# Of the seconds that an answer takes without a queue. One answer counts for at most `_OUTLIER` of
# them, so that it takes more than half of the answers to be slow to make them `_SLOW` on average.
_QUEUED, _SLOW, _OUTLIER = 1.4, 1.8, 2.4

_FASTER, _MUCH_FASTER = 0.8, 0.7
"""Answers to half as many requests are faster if they take less than this share of the time."""

_LUCK, _EASING = 0.75, 0.25
"""A measurement that is little lower, or of few answers, is mostly luck: a part is believed."""

_FEWEST_ROUNDS, _MOST_ROUNDS = 4, 64
"""The rounds with a queue before it is looked at: twice as many each time that it was one."""


@dataclass(frozen=True, slots=True)
class _Doubt:
    """A limit at which answers took `seconds`, longer than before; `slow` if much longer."""

    limit: int
    seconds: float
    slow: bool


class Pace:
    """Learns from answers. All times are seconds of the same monotonic clock."""

    __slots__ = (
        "_answers",
        "_began",
        "_climb",
        "_clipped_sum",
        "_doubt",
        "_enough",
        "_longest",
        "_queued_rounds",
        "_slow",
        "_sum",
        "_unqueued",
        "_until_doubt",
    )

    def __init__(self, climb: Climb) -> None:
        """Let `climb` rise and fall."""
        self._climb = climb
        self._doubt: _Doubt | None = None
        self._queued_rounds = 0
        self._until_doubt = _FEWEST_ROUNDS
        self._believe(math.inf)
        self._answers = 0
        self._sum = 0.0
        self._clipped_sum = 0.0
        self._began = math.inf
        self._start_round(self._began)

    def answered(self, now: float, each: Iterable[float]) -> None:
        """Note answers and the seconds that each took; infinitely many if that is not known."""
        for seconds in each:
            self._answers = answers = self._answers + 1
            if answers <= 0:
                continue  # to a request sent under another limit
            self._sum += seconds
            longest = self._longest
            self._clipped_sum += seconds if seconds < longest else longest  # noqa: FURB136 - faster
            if answers >= self._enough:
                self._judge(now)
            elif self._began > now:
                self._began = now - seconds

    def failed(self, now: float) -> None:
        """Begin anew with the limit to which failures have led."""
        self._doubt = None
        self._start_round(now)

    def _start_round(self, now: float, *, under_way: int = 0) -> None:
        """Judge the next answers, after those to `under_way` requests of another limit."""
        limit = self._climb.limit
        quick = self._climb.steep and self._doubt is None
        self._enough = limit if quick else max(_FEWEST_ANSWERS, 2 * limit)
        self._answers = -under_way
        self._sum = 0.0
        self._clipped_sum = 0.0
        self._began = now

    def _judge(self, now: float) -> None:
        answers, limit, doubt = self._answers, self._climb.limit, self._doubt
        seconds, clipped = self._sum / answers, self._clipped_sum / answers
        if doubt is not None:
            self._resolve(doubt, seconds)
        elif clipped > self._slow and answers < _FEWEST_ANSWERS:
            self._enough = _FEWEST_ANSWERS
            return
        else:
            if clipped < self._unqueued:
                self._improve(clipped, lucky=answers < _FEWEST_ANSWERS)
            # The mean number under way is the time that all took by the time that has passed.
            if 2 * self._sum >= limit * (now - self._began):
                self._consider(clipped, seconds)
        self._start_round(now, under_way=0 if self._doubt is doubt else limit)

    def _consider(self, clipped: float, seconds: float) -> None:
        """Change the limit after a round in which it was made use of."""
        slow = clipped > self._slow
        if not slow:
            self._climb.passed()
            if self._climb.steep or clipped <= _QUEUED * self._unqueued:
                self._queued_rounds = 0
                self._climb.rise()
                return
            self._queued_rounds += 1
        if slow or self._queued_rounds >= self._until_doubt:
            limit = self._climb.limit
            if limit == 1:
                self._believe(seconds)
            else:
                self._doubt = _Doubt(limit, seconds, slow)
                self._climb.limit = limit // 2

    def _resolve(self, doubt: _Doubt, seconds: float) -> None:
        """Act on the seconds that answers took with half the limit."""
        self._doubt = None
        self._queued_rounds = 0
        faster = seconds < (_MUCH_FASTER if doubt.slow else _FASTER) * doubt.seconds
        self._believe(min(seconds, self._unqueued) if faster else seconds)
        self._until_doubt = min(2 * self._until_doubt, _MOST_ROUNDS) if faster else _FEWEST_ROUNDS
        if faster and doubt.slow:
            self._climb.settle(below=doubt.limit)
        else:
            self._climb.limit = doubt.limit

    def _improve(self, seconds: float, *, lucky: bool) -> None:
        if self._unqueued < math.inf and (lucky or seconds >= _LUCK * self._unqueued):
            seconds = self._unqueued - (self._unqueued - seconds) * _EASING
        self._believe(seconds)

    def _believe(self, seconds: float) -> None:
        """Take `seconds` for the time that an answer takes without a queue."""
        self._unqueued = max(seconds, _SHORTEST_SECONDS)
        self._slow = _SLOW * self._unqueued
        self._longest = _OUTLIER * self._unqueued
