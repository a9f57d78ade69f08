"""What becomes of an event that is decided: receipt or dead letter, progress, the segment's end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from uploader.accounts import Accounts
from uploader.config import UploaderConfig
from uploader.outcome import Outcome
from uploader.pieces import Piece
from uploader.turns import Turns

SAVE_SECONDS = 1.0
"""Progress is written at most this often: a crash sends again what was accepted since."""


@dataclass(frozen=True, slots=True)
class _Rejection:
    """An event that goes to the dead letters: `outcome` is None if it was not sent."""

    piece: Piece
    reason: str
    outcome: Outcome | None


@dataclass(slots=True)
class Counters:
    """What became of events since the engine started."""

    accepted: int = 0
    rejected: int = 0
    last_accepted_at: datetime | None = None

    def go_on(self, last: Counters) -> None:
        """Begin where another engine has ended."""
        self.accepted, self.rejected = last.accepted, last.rejected
        self.last_accepted_at = last.last_accepted_at


class Settlement:
    """Writes down what became of events, the receipts always before the progress."""

    def __init__(self, config: UploaderConfig, backlog: Turns) -> None:
        """Settle events of this backlog."""
        self.counters = Counters()
        self._backlog = backlog
        self.accounts = Accounts(config)
        self._retry_interval = config.rescan_interval
        self._next_retry = 0.0
        self._undecided: list[_Rejection] = []
        self._saved_at = 0.0
        self._unsaved = False

    @property
    def save_due(self) -> float | None:
        """When there is progress to save, on the monotonic clock; None if there is none."""
        return self._saved_at + SAVE_SECONDS if self._unsaved else None

    def accept(self, pieces: Sequence[Piece], now: datetime) -> None:
        """Note that the endpoint has pieces of one segment, at the time of day `now`."""
        reading = pieces[0].reading
        self.counters.accepted += sum([piece.events for piece in pieces])
        self.counters.last_accepted_at = now
        self.accounts.of(reading.turn).receipts.accepted(pieces, now)
        reading.done(pieces)
        self._unsaved = True

    def reject(self, piece: Piece, reason: str, outcome: Outcome | None) -> None:
        """Set one event aside; if that is not possible now, it is tried again, and not sent."""
        self._reject(_Rejection(piece, reason, outcome))

    def _reject(self, rejection: _Rejection) -> None:
        piece, now = rejection.piece, datetime.now(tz=UTC)
        letters = self.accounts.of(piece.reading.turn).dead_letters
        if not letters.write(piece.lines()[0], rejection.reason, rejection.outcome, now):
            self._undecided.append(rejection)  # sending it again would change nothing
            piece.reading.postpone(piece)
            return
        self.counters.rejected += 1
        piece.reading.done([piece])
        self._unsaved = True

    def retry_if_due(self, now: float) -> None:
        """Try again what could not be set aside, read or deleted.

        By time only: a sign from the file system may come from the very attempt.
        """
        if now < self._next_retry:
            return
        self._next_retry = now + self._retry_interval
        self._backlog.retry()
        undecided, self._undecided = self._undecided, []
        for rejection in undecided:
            self._reject(rejection)

    def remove_finished(self) -> None:
        """Delete the segments of which every line is dealt with."""
        finished = self._backlog.finished()
        if finished:
            self.accounts.flush(datetime.now(tz=UTC))
        for reading in finished:
            self._backlog.remove(reading)

    def save_if_due(self, now: float) -> None:
        """Save progress, at most once in `SAVE_SECONDS`."""
        if self.save_due is not None and now >= self.save_due:
            self.save(now)

    def save(self, now: float) -> None:
        """Save progress. Receipts first: what is saved is never sent, and receipted, again."""
        self.accounts.flush(datetime.now(tz=UTC))
        self._backlog.save()
        self._saved_at = now
        self._unsaved = False

    def evicted(self, owner: int, events: int) -> None:
        """Count events that had to make room for later ones of their owner's."""
        losses = self.accounts.of(owner).losses
        losses.lost(events, "quota: the spool was full, the oldest went", datetime.now(tz=UTC))

    def forget(self) -> None:
        """Forget what is undecided: the segments are closed."""
        self._undecided.clear()
