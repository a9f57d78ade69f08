"""Act on what came back: write it down, try it again, or wait with everything."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime

from uploader.announcer import Announcer
from uploader.gates import Gates
from uploader.outcome import Answer, Failure, Outcome, Verdict, judge, not_the_event
from uploader.pieces import Piece
from uploader.settlement import Settlement
from uploader.suspects import Suspects
from uploader.turns import Turns

# A batch that fails this often while others are answered has an event that the endpoint stumbles
# over; less often it is one that loses requests.
_SPLIT_AFTER = 3

# One that fails so often in this way, though nothing else is answered, is tried in halves as well.
_STUMBLES = (500, 502, 504)
_SPLIT_ALONE_AFTER = 5

# Events that are refused by themselves before any batch is taken: so many of them say that it is
# the batches.
_MOST_DOUBTED = 100

_log = logging.getLogger(__name__)


class Answers:
    """Knows the endpoint by its answers. All times are seconds of the same monotonic clock."""

    def __init__(
        self,
        backlog: Turns,
        gate: Gates,
        settlement: Settlement,
        random: Callable[[], float],
        *,
        batched: bool,
    ) -> None:
        """Act on answers to pieces of this backlog; `batched` says what a request carries."""
        self._backlog = backlog
        self._gate = gate
        self._settlement = settlement
        self._suspects = Suspects(random)
        self._announcer = Announcer()
        self._batched = batched
        self._good: Answer | None = None
        self._in_doubt: list[Piece] = []
        self._doubted: set[tuple[str, int]] = set()

    @property
    def next_due(self) -> float | None:
        """When the next piece that waits by itself is to be tried again; None if none does."""
        return self._suspects.next_due

    def resume(self, now: float) -> None:
        """Put back what has waited by itself for long enough."""
        for piece in self._suspects.due(now):
            self._backlog.again(piece)

    def forget(self) -> None:
        """Forget everything that waits: the segments are closed."""
        self._suspects.forget()
        self._in_doubt.clear()

    def act(
        self,
        pieces: Sequence[Piece],
        result: Answer | Failure,
        now: float,
        today: datetime,
        *,
        alone: bool,
    ) -> None:
        """Do what the same result of requests asks for; `today` is the time of day.

        They are for pieces of one segment; `alone` says that no other request is under way.
        """
        if result is self._good or result == self._good:
            self._accept(pieces, now, today)
        else:
            for number, piece in enumerate(pieces, 1):
                last = alone and number == len(pieces)
                self._judge(piece, result, now, today, alone=last)
        if self._in_doubt and (alone or self._good is not None):
            for piece in self._in_doubt:
                self._backlog.again(piece)
            self._in_doubt.clear()

    def _accept(self, pieces: Sequence[Piece], now: float, today: datetime) -> None:
        self._note_answers(pieces, now)
        self._settlement.accept(pieces, today)

    def _judge(
        self, piece: Piece, result: Answer | Failure, now: float, today: datetime, *, alone: bool
    ) -> None:
        outcome = judge(result, today, batched=self._batched)
        match outcome.verdict:
            case Verdict.ACCEPTED:
                self._good = result if isinstance(result, Answer) else None
                self._accept([piece], now, today)
            case Verdict.REJECTED if self._may_be_the_batch(piece):
                self._doubt(piece, not_the_event(outcome), now, alone=alone)
            case Verdict.REJECTED:
                self._note_answers([piece], now)
                self._reject(piece, outcome)
            case Verdict.RETRY | Verdict.HOLD:
                self._fail(piece, outcome, now)

    def _may_be_the_batch(self, piece: Piece) -> bool:
        """Tell whether one event is refused by an endpoint that has not taken any batch yet.

        It may not take batches at all: then all events would go to the dead letters.
        """
        return self._batched and piece.events == 1 and self._good is None

    def _doubt(self, piece: Piece, outcome: Outcome, now: float, *, alone: bool) -> None:
        """Let others go first, which show what it is; refused again, it is the batch."""
        if not alone:
            self._in_doubt.append(piece)
            piece.reading.postpone(piece)
            return
        place = (piece.reading.path, piece.start)
        if place in self._doubted or len(self._doubted) >= _MOST_DOUBTED:
            self._fail(piece, outcome, now)
            return
        self._doubted.add(place)
        self._note_answers([piece], now)
        self._backlog.again(piece)

    def _reject(self, piece: Piece, outcome: Outcome) -> None:
        """Set one event aside; of a batch, find out which it is."""
        if piece.events > 1:
            self._backlog.split(piece)
        else:
            self._settlement.reject(piece, outcome.reason, outcome)

    def _fail(self, piece: Piece, outcome: Outcome, now: float) -> None:
        failures = self._suspects.failed(piece)
        if failures:
            _log.debug("piece %d alone is answered with %s", piece.start, outcome.reason)
            if piece.events > 1 and failures >= _SPLIT_AFTER:
                self._suspects.split(piece)
                self._backlog.split(piece)
            else:
                self._suspects.wait(piece, now, failures)
                piece.reading.postpone(piece)
            return
        owner = piece.reading.turn
        self._gate.failed(outcome, now, sent_at=piece.sent_at, owner=owner)
        if self._gate.of(owner).delaying:
            self._announcer.trouble(outcome, now)
        if self._may_be_too_much(piece, outcome):
            self._suspects.split(piece)
            self._backlog.split(piece)
        else:
            self._backlog.again(piece)
        self._backlog.rest_if_crowded(owner)

    def _may_be_too_much(self, piece: Piece, outcome: Outcome) -> bool:
        """Tell whether an endpoint, or a proxy, may stumble over a batch that is all there is."""
        failures = self._suspects.failures(piece)
        stumbles = outcome.status in _STUMBLES and failures >= _SPLIT_ALONE_AFTER
        return piece.events > 1 and stumbles

    def _note_answers(self, pieces: Sequence[Piece], now: float) -> None:
        """Note that the endpoint works."""
        self._suspects.answered(pieces)
        owner = pieces[0].reading.turn
        self._gate.answered(now, [piece.sent_at for piece in pieces], owner)
        if self._announcer.troubled and self._gate.of(owner).trouble is None:
            self._announcer.recovered()
