"""The sealed segments that wait to be sent, the oldest first, and what is in them."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from telemetry_spool.consent import Consent, Mode
from telemetry_spool.listing import SegmentFile
from telemetry_spool.paths import Kind
from uploader.pieces import SINGLE, Piece, Shape
from uploader.reading import PRIVATE, Busy, Reading, Terms

# Each open segment costs a descriptor, of which a process has some 1,000: segments stay open while
# they have an event that the endpoint never answers well.
MOST_OPEN = 256
_MOST_OPEN_OF_ONE = 16

# Events that were taken and are not dealt with, in bytes of memory: these, too.
_MOST_HELD_BYTES = 32 * 2**20

# Complaints until the next retry: a user could make files for more without end.
_MOST_COMPLAINTS = 20

SENDABLE = frozenset({Kind.SEALED, Kind.RELEASED})
"""The segments that may be sent where the mode is `on`."""

_SENDABLE = {Mode.ON: SENDABLE, Mode.LOCAL: frozenset({Kind.RELEASED}), Mode.OFF: frozenset()}

_log = logging.getLogger(__name__)


def sendable_in(mode: Mode) -> frozenset[Kind]:
    """Return the kinds of segments that may be sent in a mode that was chosen."""
    return _SENDABLE[mode]


def sendable_with(consent: Consent) -> frozenset[Kind]:
    """Return the kinds of segments that may be sent with this consent."""
    if consent.mode is Mode.LOCAL and not consent.releases:
        return frozenset()
    return sendable_in(consent.mode)


class Item(NamedTuple):
    """A piece under way, and the segment it is from."""

    piece: Piece
    reading: Reading


class Backlog:
    """Hands out pieces across segments; a segment is deleted when all of it is dealt with.

    A segment that cannot be read is named in the log and passed by: one bad file blocks nothing.
    """

    def __init__(self, *, limit: int, terms: Terms = PRIVATE, shape: Shape = SINGLE) -> None:
        """Keep at most `limit` bytes of each line; `terms` are those of every segment."""
        self._limit = limit
        self._shape = shape
        self._terms = terms
        self._most_open = MOST_OPEN if terms is PRIVATE else _MOST_OPEN_OF_ONE
        self._complaints = 0
        self._waiting: dict[Kind | None, deque[str]] = {}
        self._allowed = SENDABLE
        self._open: dict[str, Reading] = {}
        self._unfinished: dict[str, Reading] = {}
        self._returned_first = False
        self._passed_by: set[str] = set()
        self._unreadable: set[str] = set()
        self._undeletable: set[str] = set()
        self._complained: set[str] = set()
        self._doubtful: set[str] = set()
        self._current: Reading | None = None

    def refresh(self, segments: Iterable[SegmentFile]) -> None:
        """Take in what the directory shows now."""
        sealed = [segment for segment in segments if segment.kind in SENDABLE]
        self._complained &= {segment.path for segment in sealed}
        self._waiting = {kind: deque() for kind in Kind if kind in SENDABLE}
        for segment in sealed:
            if segment.path not in self._open:
                self._waiting[segment.kind].append(segment.path)
        self._passed_by &= self._open.keys()
        self.doubt()

    def add(self, segment: SegmentFile) -> None:
        """Take in a segment that has come since the last refresh."""
        if segment.path not in self._open:
            self._waiting.setdefault(segment.kind, deque()).append(segment.path)

    def allow(self, kinds: frozenset[Kind]) -> None:
        """Hand out pieces of these kinds of segments only; others count as absent until then."""
        self._allowed = kinds
        self._current = None

    def doubt(self) -> None:
        """See again before the next piece of each segment whether the segment is still there."""
        self._doubtful.update(self._open)
        self._current = None

    def _allowed_of(self, readings: dict[str, Reading]) -> list[Reading]:
        allowed = self._allowed
        if allowed is SENDABLE:
            return list(readings.values())
        return [reading for reading in readings.values() if reading.kind in allowed]

    def _allowed_waiting(self) -> list[deque[str]]:
        found = self._waiting.items()
        return [waiting for kind, waiting in found if waiting and kind in self._allowed]

    def retry(self) -> None:
        """Give another chance to what could not be read or deleted."""
        self._undeletable.clear()
        self._complaints = 0
        for reading in list(self._open.values()):
            if reading.path in self._unreadable and not reading.under_way:
                self._save(reading)
                self._close(reading)
        self._unreadable &= self._open.keys()

    @property
    def open(self) -> int:
        """How many segments are open."""
        return len(self._open)

    @property
    def segments(self) -> int:
        """How many segments wait or are being sent, as far as the last refresh knows."""
        return sum(map(len, self._waiting.values())) + len(self._open)

    @property
    def exhausted(self) -> bool:
        """Whether everything has been taken once, as far as the last refresh knows."""
        if self._holds_enough:
            return True
        return (self._is_crowded or not self._allowed_waiting()) and all(
            reading.full or reading.path in self._unreadable
            for reading in self._allowed_of(self._unfinished)
        )

    @property
    def _holds_enough(self) -> bool:
        held = 0
        for reading in self._open.values():
            held += reading.held
        return held >= _MOST_HELD_BYTES

    @property
    def _is_crowded(self) -> bool:
        return len(self._open) >= self._most_open

    @property
    def empty(self) -> bool:
        """Whether there is nothing to do, as far as the last refresh knows.

        What cannot be read, set aside or deleted now is tried again after `retry()`.
        """
        blocked = self._holds_enough
        return (blocked or self._is_crowded or not self._allowed_waiting()) and all(
            reading.is_stuck(blocked=blocked)
            or reading.path in self._undeletable
            or reading.path in self._unreadable
            for reading in self._allowed_of(self._open)
        )

    @property
    def kept(self) -> bool:
        """Whether there are segments that could not be dealt with, though the endpoint works."""
        return bool(self._passed_by or self._open or any(self._waiting.values()))

    def take(self) -> Item | None:
        """Return the next piece to deal with; None if there is none now.

        What was sent before and came back goes behind at least one other, and then takes turns with
        what was not sent yet: an event that is not answered well holds up no other, and no stream
        of others holds it up.
        """
        if self._returned_first:
            return self._take_again() or self._take_new()
        return self._take_new() or self._take_again()

    def take_read(self, most: int) -> list[Item]:
        """Return up to so many pieces that come next and are in memory already.

        That is for when all goes well: none, once anything has come back or is in doubt.
        """
        reading = self._current
        if reading is None:
            return []
        return [Item(piece, reading) for piece in reading.take_read(most)]

    def again(self, item: Item) -> None:
        """Put a piece back, to be taken again behind another one."""
        item.reading.again(item.piece)
        self._returned_first = False
        self._current = None

    def split(self, item: Item) -> None:
        """Put the halves of a piece back, to be taken by themselves."""
        item.reading.split(item.piece)
        self._returned_first = False
        self._current = None

    def rest(self) -> None:
        """Close segments of which nothing is under way: they wait to be opened again."""
        for reading in [reading for reading in self._open.values() if reading.resting]:
            self._save(reading)
            self._close(reading)
            self._waiting[reading.kind].appendleft(reading.path)

    def _take_new(self) -> Item | None:
        if self._holds_enough:
            return None
        item = self._next_of_open() or self._next_of_waiting()
        self._returned_first = item is not None
        if item is not None and not any(reading.has_returned for reading in self._open.values()):
            self._current = item.reading
        return item

    def _next_of_open(self) -> Item | None:
        for reading in self._allowed_of(self._unfinished):
            if self._is_there(reading):
                item = self._take_from(reading)
                if item is not None:
                    return item
        return None

    def _next_of_waiting(self) -> Item | None:
        for waiting in self._allowed_waiting():
            while waiting and not self._is_crowded:
                path = waiting.popleft()
                reading = None if path in self._open else self._open_next(path)
                if reading is not None:
                    item = self._take_from(reading)
                    if item is not None:
                        return item
        return None

    def _take_again(self) -> Item | None:
        self._returned_first = False
        for reading in self._allowed_of(self._open):
            if reading.has_returned and self._is_there(reading):
                return Item(reading.take_again(), reading)
        return None

    def _is_there(self, reading: Reading) -> bool:
        """Close a segment that was deleted: whoever did that does not want the rest to be sent."""
        if reading.path in self._doubtful:
            self._doubtful.discard(reading.path)
            if reading.deleted:
                self._close(reading)
                return False
        return True

    def _open_next(self, path: str) -> Reading | None:
        try:
            reading = Reading(path, limit=self._limit, terms=self._terms, shape=self._shape)
        except FileNotFoundError:
            return None
        except Busy:
            self._passed_by.add(path)
            return None
        except OSError as error:
            self._passed_by.add(path)
            self._complain(path, "opened", error)
            return None
        self._open[path] = self._unfinished[path] = reading
        return reading

    def _take_from(self, reading: Reading) -> Item | None:
        if reading.path in self._unreadable:
            return None
        try:
            piece = reading.take()
        except OSError as error:
            self._complain(reading.path, "read", error)
            self._unreadable.add(reading.path)
            return None
        if piece is None:
            if reading.at_end:
                del self._unfinished[reading.path]
            return None
        return Item(piece, reading)

    def _complain(self, path: str, action: str, error: OSError) -> None:
        if path not in self._complained and self._complaints < _MOST_COMPLAINTS:
            self._complaints += 1
            self._complained.add(path)
            _log.warning("%s cannot be %s: %s", path, action, error.strerror)

    def finished(self) -> list[Reading]:
        """Return the segments to delete: all of them is dealt with."""
        return [
            reading
            for reading in self._open.values()
            if reading.finished and reading.path not in self._undeletable | self._unreadable
        ]

    def save(self) -> None:
        """Save the progress of every open segment; what fails is logged and tried again."""
        for reading in self._open.values():
            self._save(reading)

    def _save(self, reading: Reading) -> None:
        try:
            reading.save()
        except OSError as error:
            self._complain(reading.path, "given a progress file", error)

    def remove(self, reading: Reading) -> None:
        """Delete a finished segment. If that fails it stays open, so that it is not sent again."""
        try:
            reading.delete()
        except FileNotFoundError:
            self._close(reading)  # somebody else deleted it
        except OSError as error:
            self._undeletable.add(reading.path)
            self._complain(reading.path, "deleted", error)
        else:
            self._close(reading)

    def _close(self, reading: Reading) -> None:
        reading.close()
        self._open.pop(reading.path, None)
        self._unfinished.pop(reading.path, None)
        self._doubtful.discard(reading.path)
        if self._current is reading:
            self._current = None

    def close(self) -> None:
        """Close every segment."""
        for reading in list(self._open.values()):
            self._close(reading)
