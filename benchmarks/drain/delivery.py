"""CPU time of delivering a backlog, one request per MiB and one per event."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.drain.least import floor
from benchmarks.drain.measuring import Run
from benchmarks.drain.ours import batch_subjects, single_subjects
from benchmarks.drain.peers import Peers
from benchmarks.drain.subjects import Kind, Subject
from benchmarks.drain.tables import Table, figure, ratio
from benchmarks.drain.turns import Measured, take_turns

COLUMNS = (
    "CPU µs/event",
    "least, most",
    "to the floor",
    "to the best peer",
    "events/s of a busy core",
    "wall s",
    "peak MiB",
    "twice",
)

# A batch of anybody's has more events than that.
_BATCH_EVENTS = 50


def batch(peers: Peers, events: int, rounds: int, scratch: Path) -> list[Table]:
    """Measure what sends one request per MiB; the compressed ones have a table of their own."""
    floors = [
        floor("slices of the file, requests", "slices"),
        floor("slices of the file, requests, zstd 1", "slices", "zstd", needs="zstandard"),
        floor("slices of the file, requests, isal gzip 1", "slices", "gzip", needs="isal"),
    ]
    subjects = [*batch_subjects(), *peers.batch(), *floors]
    found = take_turns(subjects, events, rounds, scratch, _no_batches)
    about = f"{events:,} events, file to HTTP. CPU time of the shipper alone, user and system."
    tables = []
    for compressed, title in ((False, "plain"), (True, "compressed")):
        tables.append(
            table(
                f"One request per MiB, {title}",
                about,
                [each for each in found if each.subject.compressed is compressed],
                [each for each in subjects if each.compressed is compressed and each.missing],
            )
        )
    return tables


def single(peers: Peers, events: int, rounds: int, scratch: Path) -> list[Table]:
    """Measure what sends one request per event."""
    floors = [
        *(
            floor(
                f"pycurl, multi interface, {number} at once",
                "multi",
                needs="pycurl",
                in_flight=number,
            )
            for number in (64, 32)
        ),
        floor("requests, prepared, straight to the adapter", "prepared", share=0.1),
    ]
    subjects = [*single_subjects(), *peers.single(), *floors]
    found = take_turns(subjects, events, rounds, scratch)
    about = f"{events:,} events, a tenth of that where `requests` sends them one by one."
    missing = [each for each in subjects if each.missing]
    return [table("One request per event", about, found, missing)]


def table(title: str, about: str, found: Sequence[Measured], missing: Sequence[Subject]) -> Table:
    """Return the figures of one table, each beside the least of floors and peers in it."""
    good = [each for each in found if not each.failure]
    least = {
        kind: min((_cpu(each) for each in good if each.subject.kind is kind), default=None)
        for kind in Kind
    }
    rows = [
        _row(each, least[Kind.FLOOR], least[Kind.PEER])
        for each in sorted(good, key=lambda each: (each.subject.kind.value, _cpu(each)))
    ]
    remarks = [f"Not measured: {each.name}: {each.missing}." for each in missing]
    remarks += [f"Failed: {each.subject.name}: {each.failure}." for each in found if each.failure]
    return Table(title, about, ("", *COLUMNS), rows, remarks)


def _row(each: Measured, floor: float | None, peer: float | None) -> list[str]:
    cpu = _cpu(each)
    every = [run.cpu_microseconds for run in each.runs]
    untested = " (configuration not tried before)" if each.subject.untested else ""
    return [
        f"{each.subject.kind.value}: {each.subject.name}{untested}",
        figure(cpu),
        f"{figure(min(every))}, {figure(max(every))}",
        ratio(cpu, floor),
        ratio(cpu, peer),
        f"{1e6 / cpu:,.0f}",
        figure(each.median(lambda run: run.wall_seconds)),
        figure(each.median(lambda run: run.usage.peak_mib)),
        f"{max(run.verdict.duplicated for run in each.runs):,}",
    ]


def _cpu(each: Measured) -> float:

    return each.median(lambda run: run.cpu_microseconds)


def _no_batches(run: Run) -> str:
    if run.load.requests * _BATCH_EVENTS <= run.verdict.expected:
        return ""
    return f"it made {run.load.requests:,} requests: these are no batches"
