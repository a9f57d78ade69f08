"""The segments of a backlog that are open: locked, read, saved and deleted; and what went wrong."""

from __future__ import annotations

import logging
from collections.abc import Collection

from uploader.pieces import Piece, Shape
from uploader.reading import Busy, Reading
from uploader.terms import Terms

# Complaints until the next retry: a user could make files for more without end.
_MOST_COMPLAINTS = 20

_log = logging.getLogger(__name__)


class Opened:
    """Keeps segments by their paths. One that fails is named in the log and blocks no other."""

    def __init__(self, *, limit: int, terms: Terms, shape: Shape) -> None:
        """Keep at most `limit` bytes of each line; `terms` are those of every segment."""
        self._limit = limit
        self._terms = terms
        self._shape = shape
        self.all: dict[str, Reading] = {}
        """Every segment that is open, in the order in which they were opened."""
        self.unfinished: dict[str, Reading] = {}
        """Those of which not everything has been taken once."""
        self.passed_by: set[str] = set()
        """The paths of segments that could not be opened since the last refresh."""
        self._unreadable: set[str] = set()
        self._undeletable: set[str] = set()
        self._doubtful: set[str] = set()
        self._complained: set[str] = set()
        self._complaints = 0

    @property
    def held(self) -> int:
        """What everything that was taken and is not dealt with costs in memory, in bytes."""
        held = 0
        for reading in self.all.values():
            held += reading.held
        return held

    def is_unreadable(self, reading: Reading) -> bool:
        """Tell whether reading it has failed since the last retry."""
        return reading.path in self._unreadable

    def is_blocked(self, reading: Reading) -> bool:
        """Tell whether reading or deleting it has failed since the last retry."""
        return reading.path in self._unreadable or reading.path in self._undeletable

    def refreshed(self, listed: Collection[str]) -> None:
        """Forget what was said of segments that are not there any more."""
        self._complained &= set(listed)
        self.passed_by.clear()

    def doubt(self) -> None:
        """Look before the next piece of each segment whether the segment is still there."""
        self._doubtful.update(self.all)

    def open(self, path: str) -> Reading | None:
        """Open and lock a segment; None if that cannot be now, or it is open."""
        if path in self.all:
            return None
        try:
            reading = Reading(path, limit=self._limit, terms=self._terms, shape=self._shape)
        except FileNotFoundError:
            return None
        except Busy:
            self.passed_by.add(path)
            return None
        except OSError as error:
            self.passed_by.add(path)
            self._complain(path, "opened", error)
            return None
        self.all[path] = self.unfinished[path] = reading
        return reading

    def take(self, reading: Reading) -> Piece | None:
        """Return the next piece of a segment; None at its end, or if it cannot be read."""
        if reading.path in self._unreadable:
            return None
        try:
            piece = reading.take()
        except OSError as error:
            self._complain(reading.path, "read", error)
            self._unreadable.add(reading.path)
            return None
        if piece is None and reading.at_end:
            del self.unfinished[reading.path]
        return piece

    def has(self, reading: Reading) -> bool:
        """Tell whether a segment is still there, and close it if not.

        Whoever has deleted it does not want the rest to be sent.
        """
        if reading.path in self._doubtful:
            self._doubtful.discard(reading.path)
            if reading.deleted:
                self.close(reading)
                return False
        return True

    def save(self, reading: Reading) -> None:
        """Save the progress of a segment; what fails is logged and tried again."""
        try:
            reading.save()
        except OSError as error:
            self._complain(reading.path, "given a progress file", error)

    def remove(self, reading: Reading) -> None:
        """Delete a finished segment. If that fails it stays open, so that it is not sent again."""
        try:
            reading.delete()
        except FileNotFoundError:
            self.close(reading)  # somebody else deleted it
        except OSError as error:
            self._undeletable.add(reading.path)
            self._complain(reading.path, "deleted", error)
        else:
            self.close(reading)

    def close(self, reading: Reading) -> None:
        """Close and unlock a segment."""
        reading.close()
        self.all.pop(reading.path, None)
        self.unfinished.pop(reading.path, None)
        self._doubtful.discard(reading.path)

    def retry(self) -> None:
        """Give another chance to what could not be read or deleted."""
        self._undeletable.clear()
        self._complaints = 0
        for reading in list(self.all.values()):
            if reading.path in self._unreadable and not reading.under_way:
                self.save(reading)
                self.close(reading)
        self._unreadable &= self.all.keys()

    def _complain(self, path: str, action: str, error: OSError) -> None:
        if path not in self._complained and self._complaints < _MOST_COMPLAINTS:
            self._complaints += 1
            self._complained.add(path)
            _log.warning("%s cannot be %s: %s", path, action, error.strerror)
