"""Our two commands as real processes, with the machine's settings hidden from them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

from tests.support.network import network_variables

# Far above what any step needs: it ends a test that hangs, and decides nothing else.
DEADLINE_SECONDS = 60.0
_POLL_SECONDS = 0.02

UPLOADER = "uploader.cli"
SPOOL = "telemetry_spool.cli"


@dataclass(frozen=True, slots=True)
class Ended:
    """What a process left: its exit code and what it wrote."""

    code: int
    stdout: str
    stderr: str


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Return this process's environment without its proxies and certificates, with `settings`."""
    hidden = network_variables()
    return {name: os.environ[name] for name in os.environ if name not in hidden} | dict(settings)


def command(
    module: str, *arguments: str, environ: Mapping[str, str], prefix: Sequence[str] = ()
) -> Ended:
    """Run one of our commands to its end; `prefix` is a command that runs it."""
    done = subprocess.run(
        [*prefix, sys.executable, "-m", module, *arguments],
        env=environment(environ),
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=DEADLINE_SECONDS,
    )
    return Ended(done.returncode, _text(done.stdout), _text(done.stderr))


def _text(output: bytes) -> str:
    return output.decode("utf-8", "surrogateescape")


class Running:
    """A process that runs until it is stopped; what it says on stderr is kept."""

    def __init__(self, process: subprocess.Popen[bytes], said: IO[bytes]) -> None:
        self._process = process
        self._said = said
        self._kept: str | None = None

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def stderr(self) -> str:
        """What it has said so far."""
        if self._kept is not None:
            return self._kept
        descriptor = self._said.fileno()
        return os.pread(descriptor, os.fstat(descriptor).st_size, 0).decode()

    def keep(self) -> None:
        """Keep what it has said beyond the end of the file it was said to."""
        self._kept = self.stderr

    def first_line(self) -> str:
        """Return the first line of its stdout, once it is there."""
        assert self._process.stdout is not None
        return self._process.stdout.readline().decode().strip()

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    def ended(self, *, seconds: float = DEADLINE_SECONDS) -> int:
        """Wait for its end and return the exit code; a process that hangs fails the test."""
        return self._process.wait(seconds)

    def stop(self, *, seconds: float = DEADLINE_SECONDS) -> int:
        """Ask it to stop with SIGTERM and return the exit code."""
        self.send(signal.SIGTERM)
        return self.ended(seconds=seconds)

    def kill(self) -> None:
        """Kill it with SIGKILL."""
        self.send(signal.SIGKILL)
        self.ended()


@contextmanager
def running(
    module: str, *arguments: str, environ: Mapping[str, str], prefix: Sequence[str] = ()
) -> Iterator[Running]:
    """Run one of our commands for as long as the block lasts; at its end it is killed.

    `prefix` is a command that becomes it.
    """
    with (
        tempfile.TemporaryFile() as said,
        subprocess.Popen(
            [*prefix, sys.executable, "-m", module, *arguments],
            env=environment(environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=said,
        ) as process,
    ):
        started = Running(process, said)
        try:
            yield started
        finally:
            process.kill()
            process.wait()
            started.keep()


def poll(
    condition: Callable[[], bool],
    what: str,
    *,
    seconds: float = DEADLINE_SECONDS,
    every: float = _POLL_SECONDS,
) -> None:
    """Wait until `condition` holds; fail, naming `what` was waited for, if it never does."""
    assert comes_true(condition, seconds=seconds, every=every), f"waited in vain: {what}"


def comes_true(
    condition: Callable[[], bool],
    *,
    seconds: float = DEADLINE_SECONDS,
    every: float = _POLL_SECONDS,
) -> bool:
    """Wait until `condition` holds; False if it never does."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not condition():
        if time.monotonic() > deadline:
            return False
        pause.wait(every)
    return True
