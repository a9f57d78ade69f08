"""The floors as subjects."""

from __future__ import annotations

import importlib.util
import os
import sys

from benchmarks.drain.processes import Command
from benchmarks.drain.sinks import REPOSITORY
from benchmarks.drain.subjects import Job, Kind, Subject


def floor(
    name: str,
    way: str,
    compression: str = "none",
    *,
    needs: str = "requests",
    share: float = 1.0,
    in_flight: int = 1,
) -> Subject:
    """Return one way of `benchmarks.drain.floors`, which delivers and does nothing else."""
    options = ("--compression", compression, "--in-flight", str(in_flight))

    def prepare(job: Job) -> Command:
        module = (sys.executable, "-m", "benchmarks.drain.floors", way)
        return Command(
            [*module, job.url, str(job.source.path), *options],
            os.environ | {"PYTHONPATH": str(REPOSITORY)},
        )

    return Subject(
        name=name,
        kind=Kind.FLOOR,
        prepare=prepare,
        compressed=compression != "none",
        share=share,
        config=f"benchmarks.drain.floors {way} {' '.join(options)}",
        missing="" if importlib.util.find_spec(needs) else f"{needs} is not installed",
    )
