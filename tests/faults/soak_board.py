"""Counters in a file that writers and the soak share: what they say survives their SIGKILL.

writer N: how many events it has begun to record | how many event() calls have returned
the last: how many events the collector has
"""

from __future__ import annotations

import mmap
import struct
from pathlib import Path

_NUMBER = struct.Struct("<q")


class Board:
    """The counters of `writers` writers."""

    def __init__(self, path: Path, writers: int) -> None:
        """Open the file, created with zeros if need be."""
        self._writers = writers
        length = (2 * writers + 1) * _NUMBER.size
        with path.open("a+b") as file:
            file.truncate(length)
            self._numbers = mmap.mmap(file.fileno(), length)

    def begun(self, writer: int) -> int:
        """Return how many events a writer has begun to record."""
        return self._get(2 * writer)

    def begin(self, writer: int, count: int) -> None:
        """Say that a writer has begun to record this many."""
        self._set(2 * writer, count)

    def returned(self, writer: int) -> int:
        """Return how many calls of a writer have returned, the undecided ones of the dead too."""
        return self._get(2 * writer + 1)

    def confirm(self, writer: int, count: int) -> None:
        """Say that this many calls of a writer have returned."""
        self._set(2 * writer + 1, count)

    @property
    def recorded(self) -> int:
        """How many calls of all writers have returned."""
        return sum(self.returned(writer) for writer in range(self._writers))

    @property
    def collected(self) -> int:
        """How many different events the collector has."""
        return self._get(2 * self._writers)

    @collected.setter
    def collected(self, count: int) -> None:
        self._set(2 * self._writers, count)

    def _get(self, index: int) -> int:
        return int(_NUMBER.unpack_from(self._numbers, index * _NUMBER.size)[0])

    def _set(self, index: int, number: int) -> None:
        _NUMBER.pack_into(self._numbers, index * _NUMBER.size, number)
