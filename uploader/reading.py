"""One sealed segment while it is drained: which lines are to do, under way, and done."""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from telemetry_spool.acks import read_ack, render
from telemetry_spool.appending import try_lock
from telemetry_spool.listing import open_segment, unaccepted_lines
from telemetry_spool.paths import ack_name, kind_of
from telemetry_spool.quota import ack_path, delete_segment
from telemetry_spool.segment import Line

# Lines that are dealt with while an older one is not. A segment of bad lines behind one that is
# never answered could fill the memory; in one of 1 MiB there are not as many.
_MOST_BEYOND = 100_000

# What a line that was taken costs besides its bytes.
_LINE_BYTES = 500


class Busy(Exception):
    """Another process has the segment locked; it is tried again later."""


@dataclass(frozen=True, slots=True)
class Terms:
    """On which terms a segment is read. The default is for a private spool, which is beyond doubt.

    In a shared one a segment must belong to the user `owner` and have at most `max_bytes`, and its
    progress is kept in the directory `progress`. A file that has another link may be anybody's,
    unless it has the group `group`, which only files have that were made in the drop box.
    """

    owner: int | None = None
    progress: str | None = None
    max_bytes: int = sys.maxsize
    group: int | None = None

    def may_be_emptied(self, status: os.stat_result) -> bool:
        """Tell whether an open file is its owner's, and nowhere else something else."""
        return (
            stat.S_ISREG(status.st_mode)
            and status.st_uid == self.owner
            and (status.st_nlink <= 1 or is_native(status.st_uid, status.st_gid, self.group))
        )

    def ack_path(self, path: str) -> str:
        """Return the path of the progress file of a segment."""
        if self.progress is None:
            return ack_path(path)
        return os.path.join(self.progress, ack_name(os.path.basename(path)))


PRIVATE = Terms()


def is_native(owner: int, group: int, box: int | None) -> bool:
    """Tell whether a file with several links was made in the drop box with the group `box`.

    No user can give the service's group to a file elsewhere; the service itself can.
    """
    return group == box and owner != os.geteuid()


class Reading:
    """An open, locked segment. Lines go out in order; they may come back done in any order."""

    def __init__(self, path: str, *, limit: int, terms: Terms = PRIVATE) -> None:
        """Open and lock the segment; of each line at most `limit` bytes are kept.

        Raises Busy if another process has it, OSError if it cannot be opened or is not admitted.
        """
        self.path = path
        self.kind = kind_of(os.path.basename(path))
        self.turn = terms.owner
        """Whose turn it takes: that of its owner in a shared spool, None in a private one."""
        self._ack_path = terms.ack_path(path)
        self._descriptor = open_segment(path, write=True)
        try:
            stop = _lock(path, self._descriptor, terms)
        except BaseException:
            os.close(self._descriptor)
            raise
        self.owner = os.fstat(self._descriptor).st_uid
        saved = read_ack(self._ack_path, self._descriptor)
        self._lines: Iterator[Line] = unaccepted_lines(
            self._descriptor, saved, limit=limit, stop=stop
        )
        self._position = saved.offset
        self._beyond = set(saved.beyond)
        self._under_way: set[int] = set()
        self._again: deque[Line] = deque()
        self._undecided: set[int] = set()
        self._at_end = False
        self._unsaved = False
        self.held = 0
        """What the lines cost in memory that were taken and are not dealt with, in bytes."""

    def take(self) -> Line | None:
        """Return the next line that was not taken yet; None at the end. Raises OSError."""
        if self.full:
            return None
        line = next(self._lines, None)
        if line is None:
            self._at_end = True
            return None
        self._position = line.end
        self._under_way.add(line.start)
        self.held += _LINE_BYTES + len(line.data)
        return line

    @property
    def has_returned(self) -> bool:
        """Whether there are lines that came back."""
        return bool(self._again)

    @property
    def resting(self) -> bool:
        """Whether lines were taken that are not dealt with, and all of those came back."""
        return self.under_way and len(self._again) == len(self._under_way)

    def take_again(self) -> Line:
        """Return the line that came back the longest time ago."""
        return self._again.popleft()

    def done(self, line: Line) -> None:
        """Note that a line is accepted, or safe among the dead letters."""
        self._under_way.discard(line.start)
        self._undecided.discard(line.start)
        self._beyond.add(line.start)
        self.held -= _LINE_BYTES + len(line.data)
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
    def full(self) -> bool:
        """Whether too much is dealt with behind a line that is not."""
        return len(self._beyond) >= _MOST_BEYOND and bool(self._under_way)

    def is_stuck(self, *, blocked: bool) -> bool:
        """Tell whether every line that is left is postponed; `blocked`: no more may be taken."""
        if self.finished or len(self._undecided) < len(self._under_way):
            return False
        return self._at_end or self.full or blocked

    def save(self) -> None:
        """Save the progress beside the segment, if there is any. Raises OSError."""
        if not self._unsaved:
            return
        offset = min(self._under_way, default=self._position)
        self._beyond = {start for start in self._beyond if start >= offset}
        _replace(self._ack_path, render(offset, self._beyond))
        self._unsaved = False

    def delete(self) -> None:
        """Delete the finished segment and its progress. Raises OSError.

        Its owner may have put another file in its place; that one is left alone.
        """
        if self.turn is not None and not self._in_place:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), self.path)
        delete_segment(self.path, self._descriptor, self._ack_path)

    @property
    def _in_place(self) -> bool:
        return os.path.samestat(os.lstat(self.path), os.fstat(self._descriptor))

    def close(self) -> None:
        """Close and unlock the segment."""
        os.close(self._descriptor)


def _lock(path: str, descriptor: int, terms: Terms) -> int:
    """Lock a segment and return where to stop reading; nobody may append once it is locked."""
    if not try_lock(descriptor):
        raise Busy(path)
    if terms.owner is None:
        return sys.maxsize
    status = os.fstat(descriptor)
    if not terms.may_be_emptied(status) or status.st_size > terms.max_bytes:
        raise OSError(errno.EPERM, "it is no segment of its owner's, or too large", path)
    return status.st_size


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
