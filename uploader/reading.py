"""One sealed segment while it is drained: which lines are to do, under way, and done."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from contextlib import suppress

from telemetry_spool.acks import render
from telemetry_spool.appending import try_lock
from telemetry_spool.listing import ack_of, open_segment, unaccepted_lines
from telemetry_spool.paths import ack_name, kind_of
from telemetry_spool.quota import delete_segment
from telemetry_spool.segment import Line


class Busy(Exception):
    """Another process has the segment locked; it is tried again later."""


class Reading:
    """An open, locked segment. Lines go out in order; they may come back done in any order."""

    def __init__(self, path: str, *, limit: int) -> None:
        """Open and lock the segment; of each line at most `limit` bytes are kept.

        Raises Busy if another process has it, OSError if it cannot be opened.
        """
        self.path = path
        self.kind = kind_of(os.path.basename(path))
        self._descriptor = open_segment(path, write=True)
        if not try_lock(self._descriptor):
            os.close(self._descriptor)
            raise Busy(path)
        self.owner = os.fstat(self._descriptor).st_uid
        saved = ack_of(path, self._descriptor)
        self._lines: Iterator[Line] = unaccepted_lines(self._descriptor, saved, limit=limit)
        self._position = saved.offset
        self._beyond = set(saved.beyond)
        self._under_way: set[int] = set()
        self._again: deque[Line] = deque()
        self._undecided: set[int] = set()
        self._at_end = False
        self._unsaved = False

    def take(self) -> Line | None:
        """Return the next line that was not taken yet; None at the end. Raises OSError."""
        line = next(self._lines, None)
        if line is None:
            self._at_end = True
            return None
        self._position = line.end
        self._under_way.add(line.start)
        return line

    def take_again(self) -> Line | None:
        """Return the line that came back the longest time ago; None if none did."""
        return self._again.popleft() if self._again else None

    def done(self, line: Line) -> None:
        """Note that a line is accepted, or safe among the dead letters."""
        self._under_way.discard(line.start)
        self._undecided.discard(line.start)
        self._beyond.add(line.start)
        self._unsaved = True

    def again(self, line: Line) -> None:
        """Put a line back, to be taken again behind all others."""
        self._undecided.discard(line.start)
        self._again.append(line)

    def postpone(self, line: Line) -> None:
        """Note that a line waits for something else than to be taken."""
        self._undecided.add(line.start)

    @property
    def deleted(self) -> bool:
        """Whether somebody else has deleted the segment."""
        return os.fstat(self._descriptor).st_nlink == 0

    @property
    def finished(self) -> bool:
        """Whether every line is dealt with."""
        return self._at_end and not self._under_way

    @property
    def at_end(self) -> bool:
        """Whether every line has been taken once."""
        return self._at_end

    @property
    def under_way(self) -> bool:
        """Whether lines were taken that are not dealt with."""
        return bool(self._under_way)

    @property
    def stuck(self) -> bool:
        """Whether every line that is left is postponed."""
        return self._at_end and len(self._undecided) == len(self._under_way) > 0

    def save(self) -> None:
        """Save the progress beside the segment, if there is any. Raises OSError."""
        if not self._unsaved:
            return
        offset = min(self._under_way, default=self._position)
        self._beyond = {start for start in self._beyond if start >= offset}
        directory, name = os.path.split(self.path)
        _replace(os.path.join(directory, ack_name(name)), render(offset, self._beyond))
        self._unsaved = False

    def delete(self) -> None:
        """Delete the finished segment and its progress. Raises OSError."""
        delete_segment(self.path, self._descriptor)

    def close(self) -> None:
        """Close and unlock the segment."""
        os.close(self._descriptor)


def _replace(path: str, text: bytes) -> None:
    """Write a file through a temporary one. Raises OSError; the file is then as it was."""
    temporary = f"{path}.tmp"
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(temporary, flags, 0o600), "wb") as file:
            file.write(text)
        os.rename(temporary, path)
    except OSError:
        with suppress(OSError):
            os.unlink(temporary)
        raise
