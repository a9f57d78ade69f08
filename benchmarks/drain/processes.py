"""Run a shipper until all has arrived, and tell what it alone cost: the process, its children."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_LOOK_SECONDS = 0.05
_STOP_SECONDS = 15.0
_LONGEST_SECONDS = 600.0
_SAID_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class Command:
    """A program in the foreground; one that stays is stopped when all has arrived."""

    argv: Sequence[str]
    environ: Mapping[str, str] = field(default_factory=dict)
    stays: bool = False


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process has used from its start to its end, start-up included."""

    started_at: float
    cpu_seconds: float
    """User and system."""
    peak_mib: float
    """The most memory it had resident at once, as far as a look each 50 ms shows."""


class Failed(Exception):
    """A shipper that ended badly or brought nothing any more; the message has its last line."""


def run(
    command: Command, directory: Path, arrived: Callable[[], int], expected: int, patience: float
) -> Usage:
    """Run `command` in `directory` and return what it used.

    Raises Failed if it ends with an error, or if nothing new has arrived for `patience` seconds,
    or not everything in ten minutes.
    """
    log = directory / "said"
    with log.open("wb") as said:
        started_at = time.monotonic()
        process = subprocess.Popen(  # noqa: S603 - what is to be measured
            command.argv,
            cwd=directory,
            env=dict(command.environ),
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
        )
    watched = _Watched(process)
    try:
        _until_done(watched, command, arrived, expected, patience)
    finally:
        watched.stop()
    wanted = (0, -signal.SIGTERM) if command.stays else (0,)
    if watched.code not in wanted:
        raise Failed(f"ended with {watched.code}: {last_line(log)}")
    return Usage(started_at, watched.cpu_seconds, watched.peak_kib / 1024)


def last_line(log: Path) -> str:
    """Return the end of what a process has said."""
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1][-_SAID_CHARACTERS:] if lines else "it said nothing"


def _until_done(
    watched: _Watched,
    command: Command,
    arrived: Callable[[], int],
    expected: int,
    patience: float,
) -> None:
    before = 0
    deadline = time.monotonic() + patience
    end = time.monotonic() + _LONGEST_SECONDS
    while not watched.ended():
        count = arrived()
        if count >= expected and command.stays:
            return
        if count > before:
            before, deadline = count, time.monotonic() + patience
        now = time.monotonic()
        if now > deadline:
            raise Failed(f"{count} of {expected} events arrived, then none for {patience:g} s")
        if now > end:
            raise Failed(f"{count} of {expected} events arrived in {_LONGEST_SECONDS:g} s")
        time.sleep(_LOOK_SECONDS)


class _Watched:
    """A child that is reaped with what it has used, which `subprocess` would throw away."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._status = Path(f"/proc/{process.pid}/status")
        self.peak_kib = 0
        self.cpu_seconds = 0.0

    @property
    def code(self) -> int | None:
        return self._process.returncode

    def ended(self) -> bool:
        if self._process.returncode is not None:
            return True
        # Not `ru_maxrss`: that is the parent's, too, whose memory a child has until it executes.
        for line in self._status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                self.peak_kib = max(self.peak_kib, int(line.split()[1]))
        pid, status, used = os.wait4(self._process.pid, os.WNOHANG)
        if pid:
            self._process.returncode = os.waitstatus_to_exitcode(status)
            self.cpu_seconds = used.ru_utime + used.ru_stime
        return bool(pid)

    def stop(self) -> None:
        deadline = time.monotonic() + _STOP_SECONDS
        if not self.ended():
            self._process.terminate()
        while not self.ended():
            if time.monotonic() > deadline:
                self._process.kill()
            time.sleep(_LOOK_SECONDS / 10)
