"""How many bytes may still be sealed before a writer looks through the whole spool again.

Looking for what exceeds the quota takes as long as the spool has segments. So whoever has looked
leaves a note, one for each user on each host, and each sealed segment is taken off it. The note is
believed only as far as it goes: one that is missing, old, odd or somebody else's means "look".
"""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

from telemetry_spool import paths

_OPEN = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY

# All notes have one length: writing over an old one leaves nothing of it.
_NOTE = re.compile(rb"(?P<room>[0-9]{19}) of (?P<limit>[0-9]{19})\n")
_NOTE_BYTES = 43

# Others keep room free for a note for twice as long as its owner relies on it: clocks differ.
_RELIED_ON_SECONDS = 12 * 3600.0
_RESPECTED_SECONDS = 24 * 3600.0
_KEPT_SECONDS = 7 * 24 * 3600.0


class Room(NamedTuple):
    """The note at `path`, for a quota of `limit` bytes."""

    path: str
    limit: int

    def take(self, size: int) -> bool:
        """Take `size` bytes off; False if there is not that much room, or nobody knows.

        Whoever gets False looks through the spool, and so does everybody else until somebody has.
        """
        try:
            with _opened(self.path, os.O_RDWR) as descriptor:
                room = self._own(descriptor, _RELIED_ON_SECONDS)
                if room is None:
                    return False
                self._write(descriptor, room - size)
                return room > size
        except OSError:
            return False

    def share(self, used: int, owner: int | None = None) -> None:
        """Note this host's share of what `used` bytes in the spool leave free.

        Every host gets the same share of what nobody has yet, and one share stays free. A host that
        nobody knew gets none at first: when it looks again the others know of it, too. So together
        they never have more than there is. With `owner`, a uid, only this user's notes count.

        Whatever goes wrong, the next sealed segment makes its writer look again.
        """
        with suppress(OSError):
            others = self._others(owner)
            with _opened(self.path, os.O_RDWR | os.O_CREAT) as descriptor:
                if _is_ours(os.fstat(descriptor)):
                    known = self._own(descriptor, _RESPECTED_SECONDS) is not None
                    free = self.limit - used - sum(others)
                    self._write(descriptor, free // (len(others) + 2) if known else 0)

    def _others(self, owner: int | None) -> list[int]:
        """Return what other hosts may still seal; delete notes that nobody has touched for long."""
        directory, own = os.path.split(self.path)
        with os.scandir(directory) as entries:
            notes = [
                entry.path
                for entry in entries
                if paths.is_room(entry.name)
                and entry.name != own
                and (owner is None or entry.stat(follow_symlinks=False).st_uid == owner)
            ]
        found = []
        for path in notes:
            with suppress(OSError), _opened(path, os.O_RDONLY) as descriptor:
                if _age(os.fstat(descriptor)) > _KEPT_SECONDS:
                    os.unlink(path)
                elif note := _note(descriptor, _RESPECTED_SECONDS):
                    found.append(min(note[0], self.limit))
        return found

    def _own(self, descriptor: int, seconds: float) -> int | None:
        note = _note(descriptor, seconds)
        ours = note is not None and note[1] == self.limit and _is_ours(os.fstat(descriptor))
        return min(note[0], self.limit) if note is not None and ours else None

    def _write(self, descriptor: int, room: int) -> None:
        os.pwrite(descriptor, f"{max(0, room):019} of {self.limit:019}\n".encode(), 0)
        os.ftruncate(descriptor, _NOTE_BYTES)


@contextmanager
def _opened(path: str, access: int) -> Iterator[int]:
    descriptor = os.open(path, access | _OPEN, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _is_ours(status: os.stat_result) -> bool:
    return stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid() and status.st_nlink == 1


def _note(descriptor: int, seconds: float) -> tuple[int, int] | None:
    """Return room and limit, in bytes; None for what is no note, or older than this."""
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or abs(_age(status)) > seconds:
        return None
    match = _NOTE.fullmatch(os.pread(descriptor, _NOTE_BYTES + 1, 0))
    return (int(match["room"]), int(match["limit"])) if match else None


def _age(status: os.stat_result) -> float:
    return time.time() - status.st_mtime
