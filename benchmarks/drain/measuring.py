"""One run of one subject against a sink of its own."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.drain.load import Figures
from benchmarks.drain.processes import Usage, run
from benchmarks.drain.sinks import Endpoint, sink
from benchmarks.drain.source import Source
from benchmarks.drain.subjects import Job, Subject
from benchmarks.drain.tally import Verdict

PATIENCE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Run:
    """What a subject used to deliver its events, and what arrived."""

    usage: Usage
    verdict: Verdict
    load: Figures

    @property
    def cpu_microseconds(self) -> float:
        """CPU time of the shipper for each event."""
        return self.usage.cpu_seconds / self.verdict.expected * 1e6

    @property
    def wall_seconds(self) -> float:
        """From the start of the process until the last event was accepted."""
        return self.load.last_at - self.usage.started_at


def measured(
    subject: Subject,
    source: Source,
    scratch: Path,
    *,
    endpoint: Endpoint | None = None,
    patience: float = PATIENCE_SECONDS,
) -> Run:
    """Run a subject once below `scratch`, on an endpoint of its own or on `endpoint`.

    Raises Failed.
    """
    directory = Path(tempfile.mkdtemp(dir=scratch))
    try:
        with sink(endpoint or subject.endpoint) as server:
            command = subject.prepare(Job(source, directory, server.port))
            arrived: Callable[[], int] = server.arrived
            usage = run(command, directory, arrived, source.events, patience)
            verdict, load = server.verify(source.path)
    finally:
        shutil.rmtree(directory)
    return Run(usage, verdict, load)
