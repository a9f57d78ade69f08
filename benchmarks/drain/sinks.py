"""The sink as the driver has it: a process of its own that answers questions."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import IO, Any

from benchmarks.drain.load import Figures
from benchmarks.drain.tally import Verdict

REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """How the sink behaves: see its options."""

    latency: float = 0.0
    limit: int | None = None
    workers: int | None = None
    bodies: str = "lines"
    answer: str = '{"status": "created"}'

    def options(self) -> Sequence[str]:
        """Return its command line."""
        always = ("--latency", str(self.latency), "--bodies", self.bodies, "--answer", self.answer)
        limit = () if self.limit is None else ("--limit", str(self.limit))
        workers = () if self.workers is None else ("--workers", str(self.workers))
        return (*always, *limit, *workers)


class Sink:
    """A sink that runs."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        if process.stdin is None or process.stdout is None:
            raise ValueError("the process was started without pipes")
        self._stdin: IO[str] = process.stdin
        self._stdout: IO[str] = process.stdout
        self.port = int(self._hear()["port"])

    @property
    def url(self) -> str:
        """Where to post events."""
        return f"http://127.0.0.1:{self.port}/api/v1/event"

    def arrived(self) -> int:
        """Return how many events were accepted so far."""
        return int(self._ask("progress")["arrived"])

    def verify(self, source: Path) -> tuple[Verdict, Figures]:
        """Return what arrived of the events in `source`, and in which requests."""
        said = self._ask(f"verify {source}")
        verdict = Verdict(**{field.name: said[field.name] for field in fields(Verdict)})
        return verdict, Figures(**{field.name: said[field.name] for field in fields(Figures)})

    def arrivals(self, source: Path) -> list[float | None]:
        """Return when each event in `source` came in, in seconds of the monotonic clock."""
        return list(self._ask(f"arrivals {source}")["at"])

    def _ask(self, command: str) -> Mapping[str, Any]:
        self._stdin.write(command + "\n")
        self._stdin.flush()
        return self._hear()

    def _hear(self) -> Mapping[str, Any]:
        line = self._stdout.readline()
        if not line:
            raise RuntimeError("the sink has died: its traceback is above")
        said: Mapping[str, Any] = json.loads(line)
        return said


@contextmanager
def sink(endpoint: Endpoint) -> Iterator[Sink]:
    """Run a sink for as long as the block lasts."""
    with subprocess.Popen(  # noqa: S603 - this very package
        [sys.executable, "-m", "benchmarks.drain.sink", *endpoint.options()],
        cwd=REPOSITORY,
        env=dict(os.environ),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield Sink(process)
        finally:
            process.kill()
