"""What a terminal shows while much is read: that it goes on, and nothing of it afterwards."""

from __future__ import annotations

import io
import sys

import pytest

from telemetry_spool.commands.progress import Progress


class Terminal(io.StringIO):
    """Takes what is written, as a terminal does."""

    def isatty(self) -> bool:
        """Be one."""
        return True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return the time, to be set."""
    now = [0.0]
    monkeypatch.setattr("telemetry_spool.commands.progress.time.monotonic", lambda: now[0])
    monkeypatch.setenv("TERM", "xterm")
    return now


def read(clock: list[float], seconds: float) -> None:
    """Read a thousand events, the second half after so many seconds."""
    for number in Progress().watch(range(1, 1001)):
        if number == 500:
            clock[0] += seconds


def test_a_long_reading_is_shown_and_taken_away(
    clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one line, which is blank in the end."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)

    read(clock, 2.0)

    assert terminal.getvalue() == f"1,000 events read ...\r{' ' * 21}\r"


def test_a_short_reading_shows_nothing(clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has to read what is over at once."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)

    read(clock, 0.5)

    assert terminal.getvalue() == ""


@pytest.mark.parametrize(("stream", "term"), [(io.StringIO, "xterm"), (Terminal, "dumb")])
def test_what_is_no_terminal_gets_nothing(
    clock: list[float], monkeypatch: pytest.MonkeyPatch, stream: type[io.StringIO], term: str
) -> None:
    """Neither a file nor a terminal that cannot go back to the beginning of a line."""
    said = stream()
    monkeypatch.setattr(sys, "stderr", said)
    monkeypatch.setenv("TERM", term)

    read(clock, 2.0)

    assert said.getvalue() == ""
