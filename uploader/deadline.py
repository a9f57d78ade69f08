"""A deadline for answers, status line and headers included.

The timeout of a socket is for one read: a peer that sends one byte a second would keep a request
for ever. Here it is for all of the answer.
"""

from __future__ import annotations

import io
import socket
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


class BoundedReader(io.RawIOBase):
    """What comes from a socket, until the socket's timeout has passed since the first read."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._raw = connection.makefile("rb", buffering=0)
        self._timeout = connection.gettimeout()
        self._deadline: float | None = None

    def makefile(self, _mode: str) -> io.BufferedReader:
        """Return what an answer is read from, as a socket does."""
        return io.BufferedReader(self)

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int | None:
        """Read what there is, or wait for it. Raises TimeoutError."""
        if self._timeout is not None:
            self._limit(self._timeout)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        """Let go of the socket, which stays open."""
        self._raw.close()
        super().close()

    def _limit(self, timeout: float) -> None:
        now = time.monotonic()
        if self._deadline is None:  # the first read: the socket itself waits no longer than that
            self._deadline = now + timeout
            return
        left = self._deadline - now
        if left <= 0:
            raise TimeoutError("the answer takes too long")
        self._connection.settimeout(left)
