"""The sealed segments that wait to be sent, the oldest first, and what is in them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from telemetry_spool.listing import SegmentFile
from telemetry_spool.paths import Kind
from uploader.opened import Opened
from uploader.pieces import SINGLE, Piece, Shape
from uploader.reading import Reading
from uploader.sendable import SENDABLE
from uploader.terms import PRIVATE, Terms

# Each open segment costs a descriptor, of which a process has some 1,000: segments stay open while
# they have an event that the endpoint never answers well.
MOST_OPEN = 256
_MOST_OPEN_OF_ONE = 16

# Events that were taken and are not dealt with, in bytes of memory: these, too.
_MOST_HELD_BYTES = 32 * 2**20


class Backlog:
    """Hands out pieces across segments; a segment is deleted when all of it is dealt with.

    A segment that cannot be read is named in the log and passed by: one bad file blocks nothing.
    """

    def __init__(self, *, limit: int, terms: Terms = PRIVATE, shape: Shape = SINGLE) -> None:
        """Keep at most `limit` bytes of each line; `terms` are those of every segment."""
        self._most_open = MOST_OPEN if terms is PRIVATE else _MOST_OPEN_OF_ONE
        self._opened = Opened(limit=limit, terms=terms, shape=shape)
        self._waiting: dict[Kind | None, deque[str]] = {kind: deque() for kind in SENDABLE}
        self._allowed = SENDABLE
        self._returned_first = False
        self._current: Reading | None = None

    def refresh(self, segments: Iterable[SegmentFile]) -> None:
        """Take in what the directory shows now."""
        sealed = [segment for segment in segments if segment.kind in SENDABLE]
        self._opened.refreshed([segment.path for segment in sealed])
        self._waiting = {kind: deque() for kind in Kind if kind in SENDABLE}
        for segment in sealed:
            self.add(segment)
        self.doubt()

    def add(self, segment: SegmentFile) -> None:
        """Take in a segment that has come since the last refresh."""
        if segment.path not in self._opened.all:
            self._waiting[segment.kind].append(segment.path)

    def allow(self, kinds: frozenset[Kind]) -> None:
        """Hand out pieces of these kinds of segments only; others count as absent until then."""
        self._allowed = kinds
        self._current = None

    def doubt(self) -> None:
        """See again before the next piece of each segment whether the segment is still there."""
        self._opened.doubt()
        self._current = None

    def _allowed_of(self, readings: dict[str, Reading]) -> list[Reading]:
        allowed = self._allowed
        if allowed is SENDABLE:
            return list(readings.values())
        return [reading for reading in readings.values() if reading.kind in allowed]

    @property
    def _next_waiting(self) -> deque[str] | None:
        """The paths of which the next segment is opened; None if no more may be."""
        if len(self._opened.all) >= self._most_open:
            return None
        found = (self._waiting[kind] for kind in self._waiting if kind in self._allowed)
        return next(filter(None, found), None)

    def retry(self) -> None:
        """Give another chance to what could not be read or deleted."""
        self._opened.retry()
        self._current = None

    @property
    def open(self) -> int:
        """How many segments are open."""
        return len(self._opened.all)

    @property
    def segments(self) -> int:
        """How many segments wait or are being sent, as far as the last refresh knows."""
        return sum(map(len, self._waiting.values())) + len(self._opened.all)

    @property
    def _holds_enough(self) -> bool:
        return self._opened.held >= _MOST_HELD_BYTES

    @property
    def exhausted(self) -> bool:
        """Whether everything has been taken once, as far as the last refresh knows."""
        if self._holds_enough:
            return True
        return self._next_waiting is None and all(
            reading.full or self._opened.is_unreadable(reading)
            for reading in self._allowed_of(self._opened.unfinished)
        )

    @property
    def empty(self) -> bool:
        """Whether there is nothing to do, as far as the last refresh knows.

        What cannot be read, set aside or deleted now is tried again after `retry()`.
        """
        enough = self._holds_enough
        return (enough or self._next_waiting is None) and all(
            reading.is_stuck(blocked=enough) or self._opened.is_blocked(reading)
            for reading in self._allowed_of(self._opened.all)
        )

    @property
    def passed_by(self) -> bool:
        """Whether there are segments that could not be opened: in use, or unreadable."""
        return bool(self._opened.passed_by)

    @property
    def kept(self) -> bool:
        """Whether there are segments that could not be dealt with, though the endpoint works."""
        return bool(self._opened.passed_by or self._opened.all or any(self._waiting.values()))

    def take(self) -> Piece | None:
        """Return the next piece to deal with; None if there is none now.

        What was sent before and came back goes behind at least one other, and then takes turns with
        what was not sent yet: an event that is not answered well holds up no other, and no stream
        of others holds it up.
        """
        if self._returned_first:
            return self._take_again() or self._take_new()
        return self._take_new() or self._take_again()

    def take_read(self, most: int) -> list[Piece]:
        """Return up to so many pieces that come next and are in memory already.

        That is for when all goes well: none, once anything has come back or is in doubt.
        """
        reading = self._current
        if reading is None:
            return []
        return reading.take_read(most)

    def again(self, piece: Piece) -> None:
        """Put a piece back, to be taken again behind another one."""
        piece.reading.again(piece)
        self._returned_first = False
        self._current = None

    def split(self, piece: Piece) -> None:
        """Put the halves of a piece back, to be taken by themselves."""
        piece.reading.split(piece)
        self._returned_first = False
        self._current = None

    def rest(self) -> None:
        """Close segments of which nothing is under way: they wait to be opened again."""
        for reading in [reading for reading in self._opened.all.values() if reading.resting]:
            self._opened.save(reading)
            self._close(reading)
            self._waiting[reading.kind].appendleft(reading.path)

    def _take_new(self) -> Piece | None:
        if self._holds_enough:
            return None
        piece = self._next_of_open() or self._next_of_waiting()
        self._returned_first = piece is not None
        readings = self._opened.all.values()
        if piece is not None and not any(reading.has_returned for reading in readings):
            self._current = piece.reading
        return piece

    def _next_of_open(self) -> Piece | None:
        for reading in self._allowed_of(self._opened.unfinished):
            if self._opened.has(reading):
                piece = self._opened.take(reading)
                if piece is not None:
                    return piece
        return None

    def _next_of_waiting(self) -> Piece | None:
        while (waiting := self._next_waiting) is not None:
            reading = self._opened.open(waiting.popleft())
            piece = None if reading is None else self._opened.take(reading)
            if reading is not None and piece is not None:
                return piece
        return None

    def _take_again(self) -> Piece | None:
        self._returned_first = False
        for reading in self._allowed_of(self._opened.all):
            if reading.has_returned and self._opened.has(reading):
                return reading.take_again()
        return None

    def finished(self) -> list[Reading]:
        """Return the segments to delete: all of them is dealt with."""
        return [
            reading
            for reading in self._opened.all.values()
            if reading.finished and not self._opened.is_blocked(reading)
        ]

    def save(self) -> None:
        """Save the progress of every open segment; what fails is logged and tried again."""
        for reading in self._opened.all.values():
            self._opened.save(reading)

    def remove(self, reading: Reading) -> None:
        """Delete a finished segment. If that fails it stays open, so that it is not sent again."""
        self._opened.remove(reading)
        self._current = None

    def _close(self, reading: Reading) -> None:
        self._opened.close(reading)
        self._current = None

    def close(self) -> None:
        """Close every segment."""
        for reading in list(self._opened.all.values()):
            self._close(reading)
