"""How close to latency x events / concurrency a backlog is delivered, with and without a limit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.drain.least import floor
from benchmarks.drain.measuring import Run, measured
from benchmarks.drain.ours import ours
from benchmarks.drain.processes import Failed
from benchmarks.drain.sinks import Endpoint
from benchmarks.drain.source import Source
from benchmarks.drain.subjects import Subject
from benchmarks.drain.tables import Table, figure, ratio
from benchmarks.drain.turns import progress

LATENCY_SECONDS = 0.05
LEVELS = (4, 8, 16, 32, 64)
LIMIT = 8
"""The endpoint with a limit answers 429 to what comes while so many are under way."""

# As many for each level take the same time: a large backlog, and still not minutes at 4.
_ROUND_TRIPS = 312


@dataclass(frozen=True, slots=True)
class Case:
    """A way to deliver with at most `at_once` requests, where `useful` of them are of use."""

    subject: Subject
    endpoint: str
    at_once: int
    useful: int


def latency(events: int, scratch: Path) -> list[Table]:
    """Measure once at each level, and with a limit; a run takes as long as it takes."""
    free = Endpoint(latency=LATENCY_SECONDS)
    limited = Endpoint(latency=LATENCY_SECONDS, limit=LIMIT)
    anywhere = [case for level in LEVELS for case in _cases("no limit", level, level)]
    within = [*_cases(f"429 above {LIMIT}", LEVELS[-1], LIMIT)]
    within[1] = Case(_fixed(LIMIT), within[1].endpoint, LIMIT, LIMIT)
    rows, remarks = _rows(anywhere, free, events, scratch)
    limited_rows, limited_remarks = _rows(within, limited, events, scratch)
    about = (
        f"An answer takes {LATENCY_SECONDS * 1000:g} ms. The ideal is latency x events / requests "
        "under way; wall time is from the start of the process. The floor keeps a fixed number of "
        "requests under way; ours has to find it, up to its setting `concurrency`."
    )
    columns = ("", "endpoint", "at most", "events", "ideal s", "wall s", "to the ideal")
    more = ("to the floor", "mean under way", "answered 429")
    return [
        Table(
            "An endpoint with latency",
            about,
            (*columns, *more),
            [*rows, *limited_rows],
            [*remarks, *limited_remarks],
        )
    ]


def _cases(endpoint: str, level: int, useful: int) -> Iterator[Case]:
    settings = {"concurrency": str(level)}
    yield Case(ours("one event a request", settings), endpoint, level, useful)
    yield Case(_fixed(level), endpoint, level, useful)


def _fixed(level: int) -> Subject:
    return floor("pycurl, multi interface", "multi", needs="pycurl", in_flight=level)


def _rows(
    cases: Sequence[Case], endpoint: Endpoint, events: int, scratch: Path
) -> tuple[list[list[str]], list[str]]:
    measurements: list[tuple[Case, int, Run]] = []
    remarks = []
    for case in cases:
        count = min(events, _ROUND_TRIPS * case.useful)
        name = f"{case.subject.name}, at most {case.at_once}, {case.endpoint}"
        if case.subject.missing:
            remarks.append(f"Not measured: {name}: {case.subject.missing}.")
            continue
        try:
            run = measured(case.subject, Source.made(scratch, count), scratch, endpoint=endpoint)
        except Failed as failed:
            remarks.append(f"Failed: {name}: {failed}.")
        else:
            measurements.append((case, count, run))
            progress(f"{name}: {run.wall_seconds:.1f} s")
    least = {
        case.useful: run.wall_seconds
        for case, _, run in measurements
        if case.subject.kind.value == "floor"
    }
    return [_row(*each, least.get(each[0].useful)) for each in measurements], remarks


def _row(case: Case, count: int, run: Run, least: float | None) -> list[str]:
    ideal = LATENCY_SECONDS * count / case.useful
    return [
        f"{case.subject.kind.value}: {case.subject.name}",
        case.endpoint,
        str(case.at_once),
        f"{count:,}",
        figure(ideal),
        figure(run.wall_seconds),
        ratio(run.wall_seconds, ideal),
        ratio(run.wall_seconds, least),
        figure(run.load.mean_in_flight),
        f"{run.load.refused / run.load.requests:.1%}",
    ]
