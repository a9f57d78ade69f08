"""One way of recording in a process of its own, asked from outside to record."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

REPOSITORY = Path(__file__).resolve().parents[1]


@dataclass
class Subject:
    """A process that records, and the nanoseconds of each of its events."""

    name: str
    process: subprocess.Popen[str]
    round_events: int
    nanoseconds: list[int] = field(default_factory=list)

    def take_turn(self, *, counts: bool = True) -> None:
        """Have it record one round; the first ones of a process do not count."""
        self.ask(self.round_events)
        times = self.answer()
        if counts:
            self.nanoseconds += times

    def ask(self, events: int) -> None:
        """Have it begin to record."""
        stdin, _ = self._pipes()
        stdin.write(f"{events}\n")
        stdin.flush()

    def answer(self) -> list[int]:
        """Wait for the end of that; return the nanoseconds of each event."""
        _, stdout = self._pipes()
        times: list[int] = json.loads(stdout.readline())
        return times

    def figures(self) -> tuple[float, float, float]:
        """Return median, 99th percentile and mean, in µs."""
        return (
            statistics.median(self.nanoseconds) / 1e3,
            statistics.quantiles(self.nanoseconds, n=100)[98] / 1e3,
            statistics.fmean(self.nanoseconds) / 1e3,
        )

    def _pipes(self) -> tuple[IO[str], IO[str]]:
        stdin, stdout = self.process.stdin, self.process.stdout
        if stdin is None or stdout is None:
            raise ValueError("the process was started without pipes")
        return stdin, stdout


@contextmanager
def started(
    name: str,
    recorder: str,
    root: Path,
    *,
    backlog: int = 0,
    round_events: int = 500,
    max_spool_bytes: str = "1GiB",
) -> Iterator[Subject]:
    """Start the process of a subject that records below `root`; end it with the block."""
    root.mkdir(parents=True, exist_ok=True)
    environ = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith("FLWR_") and key != "DO_NOT_TRACK"
    }
    environ |= {
        "FLWR_TELEMETRY_DIR": str(root),
        "FLWR_TELEMETRY_MAX_SPOOL_BYTES": max_spool_bytes,
        "FLWR_HOME": str(root),
        "XDG_CONFIG_HOME": str(root),
        "XDG_CONFIG_DIRS": str(root),
    }
    with subprocess.Popen(  # noqa: S603 - a module of this project
        [sys.executable, "-m", "benchmarks.recorders", recorder, str(root), str(backlog)],
        cwd=REPOSITORY,
        env=environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield Subject(name, process, round_events)
