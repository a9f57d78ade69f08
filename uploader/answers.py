"""Act on what came back: write it down, try it again, or wait with everything."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime

from uploader.announcer import Announcer
from uploader.backlog import Item
from uploader.gates import Gates
from uploader.outcome import Answer, Failure, Outcome, Verdict, judge, not_the_event
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
        self._in_doubt: list[Item] = []
        self._doubted: set[tuple[str, int]] = set()

    @property
    def next_due(self) -> float | None:
        """When the next piece that waits by itself is to be tried again; None if none does."""
        return self._suspects.next_due

    def resume(self, now: float) -> None:
        """Put back what has waited by itself for long enough."""
        for item in self._suspects.due(now):
            self._backlog.again(item)

    def forget(self) -> None:
        """Forget everything that waits: the segments are closed."""
        self._suspects.forget()
        self._in_doubt.clear()

    def act(
        self,
        items: Sequence[Item],
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
            self._accept(items, now, today)
        else:
            for number, item in enumerate(items, 1):
                last = alone and number == len(items)
                self._judge(item, result, now, today, alone=last)
        if self._in_doubt and (alone or self._good is not None):
            for item in self._in_doubt:
                self._backlog.again(item)
            self._in_doubt.clear()

    def _accept(self, items: Sequence[Item], now: float, today: datetime) -> None:
        self._note_answers(items, now)
        self._settlement.accept(items[0].reading, [item.piece for item in items], today)

    def _judge(
        self, item: Item, result: Answer | Failure, now: float, today: datetime, *, alone: bool
    ) -> None:
        outcome = judge(result, today, batched=self._batched)
        match outcome.verdict:
            case Verdict.ACCEPTED:
                self._good = result if isinstance(result, Answer) else None
                self._accept([item], now, today)
            case Verdict.REJECTED if self._may_be_the_batch(item):
                self._doubt(item, not_the_event(outcome), now, alone=alone)
            case Verdict.REJECTED:
                self._note_answers([item], now)
                self._reject(item, outcome)
            case Verdict.RETRY | Verdict.HOLD:
                self._fail(item, outcome, now)

    def _may_be_the_batch(self, item: Item) -> bool:
        """Tell whether one event is refused by an endpoint that has not taken any batch yet.

        It may not take batches at all: then all events would go to the dead letters.
        """
        return self._batched and item.piece.events == 1 and self._good is None

    def _doubt(self, item: Item, outcome: Outcome, now: float, *, alone: bool) -> None:
        """Let others go first, which show what it is; refused again, it is the batch."""
        if not alone:
            self._in_doubt.append(item)
            item.reading.postpone(item.piece)
            return
        place = (item.reading.path, item.piece.start)
        if place in self._doubted or len(self._doubted) >= _MOST_DOUBTED:
            self._fail(item, outcome, now)
            return
        self._doubted.add(place)
        self._note_answers([item], now)
        self._backlog.again(item)

    def _reject(self, item: Item, outcome: Outcome) -> None:
        """Set one event aside; of a batch, find out which it is."""
        if item.piece.events > 1:
            self._backlog.split(item)
        else:
            self._settlement.reject(item, outcome.reason, outcome)

    def _fail(self, item: Item, outcome: Outcome, now: float) -> None:
        failures = self._suspects.failed(item)
        if failures:
            _log.debug("piece %d alone is answered with %s", item.piece.start, outcome.reason)
            if item.piece.events > 1 and failures >= _SPLIT_AFTER:
                self._suspects.split(item)
                self._backlog.split(item)
            else:
                self._suspects.wait(item, now, failures)
                item.reading.postpone(item.piece)
            return
        owner = item.reading.turn
        self._gate.failed(outcome, now, sent_at=item.sent_at, owner=owner)
        if self._gate.of(owner).delaying:
            self._announcer.trouble(outcome, now)
        if self._may_be_too_much(item, outcome):
            self._suspects.split(item)
            self._backlog.split(item)
        else:
            self._backlog.again(item)
        self._backlog.rest_if_crowded(owner)

    def _may_be_too_much(self, item: Item, outcome: Outcome) -> bool:
        """Tell whether an endpoint, or a proxy, may stumble over a batch that is all there is."""
        failures = self._suspects.failures(item)
        stumbles = outcome.status in _STUMBLES and failures >= _SPLIT_ALONE_AFTER
        return item.piece.events > 1 and stumbles

    def _note_answers(self, items: Sequence[Item], now: float) -> None:
        """Note that the endpoint works."""
        self._suspects.answered(items)
        owner = items[0].reading.turn
        self._gate.answered(now, [item.sent_at for item in items], owner)
        if self._announcer.troubled and self._gate.of(owner).trouble is None:
            self._announcer.recovered()
