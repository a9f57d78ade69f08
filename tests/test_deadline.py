"""The deadline of an answer: what one read leaves of the time is all that the next one has."""

from __future__ import annotations

import io
from typing import Any

import pytest

from uploader import deadline


class Slow:
    """A connection with a timeout of 10 s, from which a byte comes every 4 seconds."""

    def __init__(self) -> None:
        self.now = 100.0
        self.timeouts = [10.0]

    def monotonic(self) -> float:
        """Return the time."""
        return self.now

    def gettimeout(self) -> float:
        """Return how long a read may take."""
        return self.timeouts[-1]

    def settimeout(self, seconds: float) -> None:
        """Let a read take so long."""
        self.timeouts.append(seconds)

    def makefile(self, _mode: str, buffering: int) -> Any:
        """Return what is read from."""
        assert buffering == 0
        return _Stream(self)


class _Stream(io.RawIOBase):
    def __init__(self, connection: Slow) -> None:
        self._connection = connection

    def readinto(self, buffer: Any) -> int:
        self._connection.now += 4
        buffer[0] = ord("x")
        return 1


def test_each_read_has_what_the_ones_before_it_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """10 seconds, then 6, then 2, then none."""
    connection: Any = Slow()
    monkeypatch.setattr(deadline, "time", connection)
    reader = deadline.BoundedReader(connection)

    assert [reader.read(1) for _ in range(3)] == [b"x"] * 3
    assert connection.timeouts == [10.0, 6.0, 2.0]
    with pytest.raises(TimeoutError):
        reader.read(1)
