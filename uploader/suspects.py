"""Events that fail while the endpoint answers others: the trouble is theirs, not the endpoint's.

Without this, an endpoint that stumbles over one event would be taken for one that is down, and
every other event would wait for it.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from uploader import backoff
from uploader.pieces import Piece

_Place = tuple[str, int]
"""Segment and offset: a segment may be closed and opened again while its event waits."""


@dataclass(slots=True)
class _Record:
    """How often an event failed, and how many answers the endpoint had given the first time."""

    failures: int
    answers: int


@dataclass(frozen=True, slots=True, order=True)
class _Waiting:
    until: float
    piece: Piece = field(compare=False)


class Suspects:
    """Keeps the record of failures. All times are seconds of the same monotonic clock."""

    def __init__(self, random: Callable[[], float]) -> None:
        """Spread the waits with `random`, which returns a number in [0, 1)."""
        self._random = random
        self._answers = 0
        self._records: dict[_Place, _Record] = {}
        self._waiting: list[_Waiting] = []

    def answered(self, pieces: Sequence[Piece]) -> None:
        """Note that the endpoint accepted or rejected pieces: it works."""
        self._answers += len(pieces)
        if self._records:
            for piece in pieces:
                self._records.pop(_place(piece), None)

    def failed(self, piece: Piece) -> int:
        """Note that a piece failed; return how often, 0 if nothing was answered since the first."""
        record = self._records.setdefault(_place(piece), _Record(0, self._answers))
        record.failures += 1
        return 0 if record.answers == self._answers else record.failures

    def failures(self, piece: Piece) -> int:
        """Return how often a piece has failed since it was answered last."""
        record = self._records.get(_place(piece))
        return record.failures if record else 0

    def split(self, piece: Piece) -> None:
        """Note that a piece goes on in halves, each of them as suspect: it may be all that is left.

        With nothing else to be answered meanwhile, they would be taken for an endpoint that fails.
        """
        record = self._records[_place(piece)]
        for half in piece.halves():
            self._records[piece.reading.path, half.start] = replace(record)

    def wait(self, piece: Piece, now: float, failures: int) -> None:
        """Keep a piece that failed so often, for longer each time, until `due()` returns it."""
        wait = backoff.delay(failures, self._random)
        heapq.heappush(self._waiting, _Waiting(now + wait, piece))

    @property
    def next_due(self) -> float | None:
        """When the next event is to be tried again; None if none waits."""
        return self._waiting[0].until if self._waiting else None

    def forget(self) -> None:
        """Forget everything: the segments are closed."""
        self._records.clear()
        self._waiting.clear()

    def due(self, now: float) -> list[Piece]:
        """Return, and let go, the events whose wait is over."""
        over = []
        while self._waiting and self._waiting[0].until <= now:
            over.append(heapq.heappop(self._waiting).piece)
        return over


def _place(piece: Piece) -> _Place:
    return piece.reading.path, piece.start
