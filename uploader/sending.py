"""Send what the backlog has, as long as consent, the endpoint, the lanes and the rate allow it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import groupby
from operator import attrgetter

from uploader.admission import Admission
from uploader.answers import Answers
from uploader.carrier import Carrier, Delivered
from uploader.choices import Choices
from uploader.config import UploaderConfig
from uploader.gates import Gates
from uploader.permission import Permission
from uploader.pieces import Piece
from uploader.rate import Rate
from uploader.screening import Screening
from uploader.settlement import Settlement
from uploader.sink import Sink
from uploader.turns import Turns

# To tell the time of day, and to write it down, costs more than the rest of a receipt.
_SAME_TIME_SECONDS = 0.001

# Bad lines that are set aside in one go: a file of nothing else keeps nobody waiting.
_MOST_SET_ASIDE = 100

_READING = attrgetter("reading")


class Sending:
    """Has requests carried, and acts on what comes of them. Times are of the monotonic clock."""

    def __init__(
        self,
        config: UploaderConfig,
        sink: Sink,
        carrier: Carrier,
        *,
        backlog: Turns,
        gates: Gates,
        settlement: Settlement,
        permission: Permission,
        random: Callable[[], float],
    ) -> None:
        """Send with this carrier; `random` returns a number in [0, 1)."""
        self._sink = sink
        self._backlog = backlog
        self._settlement = settlement
        self._permission = permission
        self._carrier = carrier
        choices = Choices(str(config.directories.spool))
        self.admission = Admission(gates, choices, config.concurrency)
        """Whose event may be sent now, and when others may be."""
        batched = sink.shape.batch is not None
        self._answers = Answers(backlog, gates, settlement, random, batched=batched)
        self._screening = Screening(backlog, settlement, strict=config.strict)
        self._rate = Rate(config.max_events_per_second)
        self._under_way: dict[int, Piece] = {}
        self._next_ticket = 1
        self._set_aside = 0
        self._told_at = -math.inf
        self._today = datetime.now(tz=UTC)
        self.interrupted = False
        """Whether a stop has been asked for: nothing more is sent in this turn."""

    @property
    def under_way(self) -> bool:
        """Whether there are requests without an answer."""
        return bool(self._under_way)

    @property
    def hurried(self) -> bool:
        """Whether answers have waited long enough for a segment of bad lines."""
        return self._set_aside >= _MOST_SET_ASIDE

    @property
    def next_due(self) -> float | None:
        """When the next piece that waits by itself is to be tried again; None if none does."""
        return self._answers.next_due

    def rate_opens_at(self, now: float) -> float | None:
        """Return when the limit of events a second lets one go; None if that is not waited for."""
        waits = not self._rate.allowance(now) and not self._backlog.empty
        return self._rate.opens_at(now) if waits else None

    def resume(self, now: float) -> None:
        """Put back what has waited by itself for long enough."""
        self._answers.resume(now)

    def is_allowed(self) -> bool:
        """Ask for consent, let the backlog know, and tell whether there is any."""
        if self._permission.is_old():
            self._backlog.allow(self._permission.ask())
            self._backlog.doubt()
        return bool(self._permission.lately)

    def begin_turn(self) -> None:
        """Have bad lines set aside again, so many and no more."""
        self._set_aside = 0

    def send(self, now: float) -> None:
        """Begin as many requests as may be under way."""
        admit = partial(self.admission.admits, now=now)
        while not (self.interrupted or self.hurried or self.admission.full):
            if not self._rate.allowance(now) or not self.is_allowed():
                break
            piece = self._backlog.take(admit)
            if piece is None:
                break
            room = self.admission.room(piece.reading.turn, now) if self._rate.unlimited else 1
            self._deal_with([piece, *self._backlog.take_read(room - 1)], now)
        self._settlement.remove_finished()

    def _deal_with(self, pieces: Sequence[Piece], now: float) -> None:
        """Send these, of one segment, but for what must not be sent."""
        sound = self._screened(pieces)
        if sound and self._may_begin(sound[0]):
            self._begin(sound, now)
            return
        for piece in sound:
            self._backlog.again(piece)

    def _screened(self, pieces: Sequence[Piece]) -> Sequence[Piece]:
        """Return those that may be sent, and put back those for which there is no time now."""
        if self._screening.are_sound(pieces):
            return pieces
        sound = []
        for number, piece in enumerate(pieces, 1):
            if not self._screening.keeps_back(piece):
                sound.append(piece)
                continue
            self._set_aside += 1
            if self.interrupted or self.hurried:
                for each in pieces[number:]:
                    self._backlog.again(each)
                break
        return sound

    def _may_begin(self, piece: Piece) -> bool:
        """Ask again: who switches telemetry off, or deletes a segment, means the next request."""
        if self.interrupted:
            return False
        if not self._permission.is_old():
            return True
        allowed = self.is_allowed() and piece.reading.kind in self._permission.lately
        return allowed and not piece.reading.deleted

    def _begin(self, pieces: Sequence[Piece], now: float) -> None:
        if not self._rate.unlimited:
            self._rate.took(sum([piece.events for piece in pieces]))
        first_ticket = self._next_ticket
        for ticket, piece in enumerate(pieces, first_ticket):
            piece.sent_at = now
            self._under_way[ticket] = piece
        self._next_ticket += len(pieces)
        self.admission.sent(pieces[0].reading.turn, len(pieces))
        for requests in self._sink.requests(first_ticket, pieces):
            self._carrier.submit(requests)

    def delivered(self, messages: Sequence[Delivered]) -> None:
        """Act on what has come of requests."""
        now = time.monotonic()
        if now - self._told_at >= _SAME_TIME_SECONDS:
            self._told_at, self._today = now, datetime.now(tz=UTC)
        for tickets, result in messages:
            found = [self._under_way.pop(ticket) for ticket in tickets]
            groups = [list(group) for _, group in groupby(found, key=_READING)]
            for pieces in groups:
                self.admission.ended(pieces[0].reading.turn, len(pieces))
                alone = not self._under_way and pieces is groups[-1]
                self._answers.act(pieces, result, now, self._today, alone=alone)

    def forget(self) -> None:
        """Forget everything that waits: the segments are closed."""
        self._answers.forget()
