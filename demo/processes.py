"""Processes that run beside the demo, and their end."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import psutil

# The uploader promises to end within 5 s of a SIGTERM.
_STOP_SECONDS = 15.0

# Before what is left is killed: an interrupted simulation ends its Ray in this time, or never.
_CLEAN_UP_SECONDS = 4.0

_PAUSE_SECONDS = 0.05


class DemoFailed(Exception):
    """The demo cannot show what it promises; the message is one line."""


@dataclass(frozen=True, slots=True)
class Process:
    """A running process, and the files that its output goes to."""

    name: str
    popen: subprocess.Popen[bytes]
    stdout: Path
    stderr: Path

    def printed(self) -> str:
        """Return what it has written to stdout until now, whole lines only."""
        text = self.stdout.read_text(encoding="utf-8", errors="replace")
        return text[: text.rfind("\n") + 1]

    def check_running(self) -> None:
        """Raise DemoFailed if it has ended."""
        if self.popen.poll() is not None:
            raise DemoFailed(f"{self.name} ended with {self.popen.returncode}, see {self.stderr}")

    def has_succeeded(self) -> bool:
        """Tell whether it has ended well, or runs still. Raises DemoFailed if it has failed."""
        if self.popen.poll() not in (None, 0):
            self.check_running()
        return self.popen.returncode == 0

    def stop(self) -> None:
        """Send SIGTERM. Raises DemoFailed unless it then ends with exit code 0, and in time."""
        self.check_running()
        self.popen.terminate()
        try:
            code = self.popen.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired as error:
            raise DemoFailed(
                f"{self.name} still runs {error.timeout:.0f} s after SIGTERM"
            ) from error
        if code != 0:
            raise DemoFailed(f"{self.name} ended with {code} after SIGTERM, see {self.stderr}")


def wait_until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Wait until `condition` holds. Raises DemoFailed if it does not within `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= deadline:
            raise DemoFailed(f"{what}: not within {seconds:.0f} s")
        time.sleep(_PAUSE_SECONDS)


def end_trees(processes: Iterable[Process]) -> None:
    """End processes and all that they started: ask the processes, then kill what is left."""
    members: list[psutil.Process] = []
    for process in processes:
        if process.popen.poll() is None:
            root = psutil.Process(process.popen.pid)
            members += [root, *root.children(recursive=True)]
            process.popen.terminate()
    _, left = psutil.wait_procs(members, timeout=_CLEAN_UP_SECONDS)
    for member in left:
        with suppress(psutil.NoSuchProcess):
            for process_left in (*member.children(recursive=True), member):
                process_left.kill()
    psutil.wait_procs(left, timeout=_CLEAN_UP_SECONDS)


def interrupt_on_signals() -> None:
    """Let the first Ctrl-C, SIGTERM or SIGHUP raise KeyboardInterrupt, and no other."""
    _on_signals(_interrupt)


def ignore_signals() -> None:
    """Go on whatever comes: for the cleaning up, which takes a few seconds at most."""
    _on_signals(signal.SIG_IGN)


def _on_signals(handler: Callable[[int, FrameType | None], None] | signal.Handlers) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, handler)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    ignore_signals()  # make passes on what the terminal has sent already
    raise KeyboardInterrupt
