"""Kill a process at each of its system calls, one attempt after the other, with `strace`.

`strace` counts the calls of each name apart, so a crash point is a name and a number: the process
gets SIGKILL on entering its third `rename`, and the kernel does not carry that one out.
"""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import DEADLINE_SECONDS
from tests.support.environments import REPOSITORY

# One more than the cores of a small machine: an attempt waits for three processes in turn.
_AT_ONCE = 3

# A crash at any other call leaves what a crash at the next one of these leaves. So does one at an
# fsync: it is the machine that forgets what was not synced, not the death of a process.
CHANGING = {
    "fchmod",
    "ftruncate",
    "link",
    "mkdir",
    "pwrite64",
    "rename",
    "rmdir",
    "unlink",
    "unlinkat",
    "utimensat",
    "write",
}

_CALL = re.compile(r"(\w+)\(")


class CannotTrace(Exception):
    """No process can be traced here; the message says why."""


@dataclass(frozen=True, slots=True)
class Point:
    """A crash point: the `number`-th call of a name, from 1."""

    call: str
    number: int

    def __str__(self) -> str:
        return f"{self.call} {self.number}"


@dataclass(slots=True)
class Run:
    """What became of a process: what it said had returned, and whether it came to its end."""

    returned: list[str] = field(default_factory=list)
    done: bool = False
    trace: str = ""


@dataclass(frozen=True, slots=True)
class CrashServer:
    """The process that forks the processes to kill, at its socket."""

    socket: Path

    def run(
        self,
        action: str,
        environ: Mapping[str, str],
        *,
        point: Point | None = None,
        trace: bool = False,
        **arguments: object,
    ) -> Run:
        """Do an action in a process of its own, killed at `point`; it is gone when this returns."""
        run = Run()
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(DEADLINE_SECONDS)
            connection.connect(str(self.socket))
            command = {"action": action, "environ": dict(environ), "arguments": arguments}
            connection.sendall(json.dumps(command).encode() + b"\n")
            with connection.makefile("r", encoding="utf-8") as answers:
                pid = _pid(answers.readline())
                with _traced(run, pid, point) if point or trace else _untraced():
                    connection.sendall(b"go\n")
                    _listen(run, answers)
        return run


def _pid(answer: str) -> int:
    word, text = json.loads(answer)
    assert word == "ready", text
    return int(text)


def _listen(run: Run, answers: Any) -> None:
    with suppress(ConnectionResetError):
        for answer in answers:
            word, *text = json.loads(answer)
            assert word != "failed", text[0]
            if word == "done":
                run.done = True
            else:
                run.returned.append(text[0])


@contextmanager
def _untraced() -> Iterator[None]:
    yield


@contextmanager
def _traced(run: Run, pid: int, point: Point | None) -> Iterator[None]:
    """Attach to the main thread of a process; the others only carry requests."""
    wanted = ["-e", f"trace={point.call}"] if point else ["-e", "trace=%file,%desc"]
    if point:
        wanted += ["-e", f"inject={point.call}:signal=SIGKILL:when={point.number}"]
    with tempfile.NamedTemporaryFile("r") as log:
        tracer = subprocess.Popen(
            ["strace", "-y", "-e", "signal=none", "-o", log.name, *wanted, "-p", str(pid)],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert tracer.stderr is not None
        with tracer.stderr:
            said = tracer.stderr.readline()
            if "attached" not in said:
                raise CannotTrace(said.strip())
            yield
            # It ends when the process is gone with all its threads, files and locks.
            tracer.stderr.read()
            tracer.wait(DEADLINE_SECONDS)
        run.trace = log.read()


@contextmanager
def crash_server() -> Iterator[CrashServer]:
    """Start the process that forks. Raises CannotTrace where there is no `strace` that may."""
    if shutil.which("strace") is None:
        raise CannotTrace("strace is not installed")
    # The path of a socket may have no more than 107 characters.
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "socket"
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.crash_server", str(path)],
            stdout=subprocess.PIPE,
            cwd=REPOSITORY,
        )
        assert process.stdout is not None
        with process:
            try:
                process.stdout.readline()
                server = CrashServer(path)
                server.run("choose", {"XDG_CONFIG_HOME": directory}, trace=True, mode="on")
                yield server
            finally:
                process.kill()


def crash_server_or_skip() -> Iterator[CrashServer]:
    """Be a fixture: start the process that forks, or skip where no process may be traced."""
    try:
        with crash_server() as server:
            yield server
    except CannotTrace as error:
        pytest.skip(f"processes cannot be killed at their system calls: {error}")


def calls_that_touch(root: Path, trace: str) -> set[str]:
    """Return the names of the calls in a trace that have to do with a directory."""
    return {
        match[1]
        for line in trace.splitlines()
        if str(root) in line and (match := _CALL.match(line))
    }


def kill_everywhere(calls: set[str], attempt: Callable[[Point], bool]) -> int:
    """Make an attempt at each crash point; `attempt` tells whether it was killed there.

    The points of a name end where a process came to its end before it was killed. Returns how many
    there were.
    """

    def every(call: str) -> int:
        for number in count(1):
            if not attempt(Point(call, number)):
                return number - 1
        raise AssertionError

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return sum(pool.map(every, sorted(calls)))
