"""One sealed segment while it is drained: what of it is to do, under way, and done."""

from __future__ import annotations

import errno
import os
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import islice

from telemetry_spool.acks import read_ack, render
from telemetry_spool.appending import try_lock
from telemetry_spool.listing import open_segment
from telemetry_spool.paths import kind_of
from telemetry_spool.quota import delete_segment
from uploader.pieces import SINGLE, Piece, Shape, blocks
from uploader.terms import PRIVATE, Terms

# Lines that are dealt with while an older one is not. A segment of bad lines behind one that is
# never answered could fill the memory; in one of 1 MiB there are not as many.
_MOST_BEYOND = 100_000

# What an event that was taken costs besides its bytes.
_EVENT_BYTES = 500


class Busy(Exception):
    """Another process has the segment locked; it is tried again later."""


class Reading:
    """An open, locked segment. Pieces go out in order; they may come back done in any order."""

    def __init__(
        self, path: str, *, limit: int, terms: Terms = PRIVATE, shape: Shape = SINGLE
    ) -> None:
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
        status = os.fstat(self._descriptor)
        self.owner = status.st_uid
        self._size = status.st_size
        saved = read_ack(self._ack_path, self._descriptor)
        self._blocks = blocks(self._descriptor, saved, shape, limit=limit, stop=stop)
        self._read: Iterator[Piece] = iter(())
        self._position = saved.offset
        self._beyond = set(saved.beyond)
        self._under_way: set[Piece] = set()
        self._again: deque[Piece] = deque()
        self._undecided: set[Piece] = set()
        self._at_end = False
        self._unsaved = False
        self.held = 0
        """What that costs in memory which was taken and is not dealt with, in bytes."""

    def take(self) -> Piece | None:
        """Return the next piece that was not taken yet; None at the end. Raises OSError."""
        if self.full:
            return None
        piece = next(self._read, None)
        while piece is None:
            block = next(self._blocks, None)
            if block is None:
                self._at_end = True
                return None
            self._read = iter(block)
            piece = next(self._read, None)
        self._hand_out([piece])
        return piece

    def take_read(self, most: int) -> list[Piece]:
        """Return up to so many of the next pieces, of those that are in memory already."""
        taken = list(islice(self._read, most))
        if taken:
            self._hand_out(taken)
        return taken

    def _hand_out(self, pieces: Sequence[Piece]) -> None:
        self._position = pieces[-1].end
        self._under_way.update(pieces)
        for piece in pieces:
            piece.reading = self
        self.held += _cost(pieces)

    @property
    def has_returned(self) -> bool:
        """Whether there are pieces that came back."""
        return bool(self._again)

    @property
    def resting(self) -> bool:
        """Whether pieces were taken that are not dealt with, and all of those came back."""
        return self.under_way and len(self._again) == len(self._under_way)

    def take_again(self) -> Piece:
        """Return the piece that came back the longest time ago."""
        return self._again.popleft()

    def done(self, pieces: Sequence[Piece]) -> None:
        """Note that pieces are accepted, or safe among the dead letters."""
        self._under_way.difference_update(pieces)
        if self._undecided:
            self._undecided.difference_update(pieces)
        if self._under_way:
            for piece in pieces:
                if piece.events > 1:
                    self._beyond.update(piece.starts())
                else:
                    self._beyond.add(piece.start)
        self.held -= _cost(pieces)
        self._unsaved = True

    def again(self, piece: Piece) -> None:
        """Put a piece back, to be taken again behind all others."""
        self._undecided.discard(piece)
        piece.part()
        self._again.append(piece)

    def split(self, piece: Piece) -> None:
        """Put the halves of a piece back, to be taken again by themselves."""
        self._under_way.discard(piece)
        self.held -= _cost([piece])
        position = self._position
        for half in piece.halves():
            self._hand_out([half])
            self.again(half)
        self._position = position

    def postpone(self, piece: Piece) -> None:
        """Note that a piece waits for something else than to be taken."""
        piece.part()
        self._undecided.add(piece)

    @property
    def deleted(self) -> bool:
        """Whether somebody else has deleted the segment."""
        return os.fstat(self._descriptor).st_nlink == 0

    @property
    def finished(self) -> bool:
        """Whether everything is dealt with. Nobody appends to what is locked."""
        return not self._under_way and (self._at_end or self._position >= self._size)

    @property
    def at_end(self) -> bool:
        """Whether everything has been taken once."""
        return self._at_end

    @property
    def under_way(self) -> bool:
        """Whether pieces were taken that are not dealt with."""
        return bool(self._under_way)

    @property
    def full(self) -> bool:
        """Whether too much is dealt with behind a line that is not."""
        return len(self._beyond) >= _MOST_BEYOND and bool(self._under_way)

    def is_stuck(self, *, blocked: bool) -> bool:
        """Tell whether every piece that is left is postponed; `blocked`: no more may be taken."""
        if self.finished or len(self._undecided) < len(self._under_way):
            return False
        return self._at_end or self.full or blocked

    def save(self) -> None:
        """Save the progress beside the segment, if there is any. Raises OSError."""
        if not self._unsaved:
            return
        offset = min((piece.start for piece in self._under_way), default=self._position)
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


def _cost(pieces: Sequence[Piece]) -> int:
    """Return what these take of memory, in bytes."""
    return sum([len(piece.data) + _EVENT_BYTES * (piece.events or 1) for piece in pieces])


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
