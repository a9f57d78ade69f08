"""What the number of segments costs: the time to the first request, and the memory of a drain."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.drain.measuring import Run, measured
from benchmarks.drain.ours import environment, uploader
from benchmarks.drain.processes import Command, Failed
from benchmarks.drain.source import EVENT_BYTES, Source
from benchmarks.drain.subjects import Job, Kind, Subject
from benchmarks.drain.tables import Table, figure, ratio
from benchmarks.drain.turns import progress

_EVENTS_EACH = 3
_SEGMENT_BYTES = _EVENTS_EACH * (EVENT_BYTES + 1)


def backlog(counts: tuple[int, ...], scratch: Path) -> list[Table]:
    """Measure a drain of each number of small segments."""
    found: list[tuple[int, Run]] = []
    remarks = []
    for count in counts:
        source = Source.made(scratch, count * _EVENTS_EACH)
        try:
            run = measured(_drain(), source, scratch)
        except Failed as failed:
            remarks.append(f"Failed: {count:,} segments: {failed}.")
        else:
            found.append((count, run))
            progress(f"{count:,} segments: first request after {_start(run):.2f} s")
    rows = []
    for count, run in found:
        least = found[0][1]
        rows.append(
            [
                f"{count:,}",
                figure(_start(run)),
                ratio(_start(run), _start(least)),
                figure(run.usage.peak_mib),
                ratio(run.usage.peak_mib, least.usage.peak_mib),
            ]
        )
    about = (
        f"Segments of {_EVENTS_EACH} events each, drained by `once` with one request per event. "
        "Time from the start of the process to its first request; the most memory it had."
    )
    columns = ("segments", "start s", "to the fewest", "peak MiB", "to the fewest")
    return [Table("Segments behind it", about, columns, rows, remarks)]


def _start(run: Run) -> float:
    return run.load.first_at - run.usage.started_at


def _drain() -> Subject:
    def prepare(job: Job) -> Command:
        job.source.spool(job.directory, segment_bytes=_SEGMENT_BYTES)
        return Command(
            uploader(Path(sys.executable), "once"), environment(job.directory, job.url, {})
        )

    return Subject("telemetry-uploader", Kind.OURS, prepare)
