"""How close to latency x events / concurrency a backlog is delivered, with and without a limit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.drain.least import floor
from benchmarks.drain.measuring import Run, measured
from benchmarks.drain.ours import FAST, ours
from benchmarks.drain.processes import Failed
from benchmarks.drain.sinks import Endpoint
from benchmarks.drain.source import Source
from benchmarks.drain.subjects import Kind, Subject
from benchmarks.drain.tables import Table, figure, ratio
from benchmarks.drain.turns import incomplete, progress

LATENCY_SECONDS = 0.05
LEVELS = (4, 16, 64)
"""The default of `concurrency`, and what a site may set."""

_REFUSED_ABOVE, _WORKERS = 8, 12


@dataclass(frozen=True, slots=True)
class Case:
    """An endpoint where `useful` requests at once are of use, and ours may have `at_most`."""

    name: str
    endpoint: Endpoint
    useful: int
    at_most: int

    def subjects(self) -> list[Subject]:
        """Return ours, which has to find the number, and what is told it."""
        settings = {"concurrency": str(self.at_most)}
        return [
            floor("pycurl, multi interface", "multi", needs="pycurl", in_flight=self.useful),
            ours("pycurl", settings | {"transport": "pycurl"}, needs=FAST),
            ours("requests", settings | {"transport": "requests"}, needs=()),
        ]


@dataclass(frozen=True, slots=True)
class _Row:
    case: Case
    subject: Subject
    events: int
    run: Run


def latency(round_trips: int, events: int | None, scratch: Path) -> list[Table]:
    """Measure each case once, with `events`, or as many as take so many round trips."""
    cases = [
        *(Case("no limit", Endpoint(LATENCY_SECONDS), level, level) for level in LEVELS),
        Case(
            f"429 above {_REFUSED_ABOVE}",
            Endpoint(LATENCY_SECONDS, limit=_REFUSED_ABOVE),
            _REFUSED_ABOVE,
            LEVELS[-1],
        ),
        Case(
            f"{_WORKERS} workers, a line",
            Endpoint(LATENCY_SECONDS, workers=_WORKERS),
            _WORKERS,
            LEVELS[-1],
        ),
    ]
    rows: list[list[str]] = []
    remarks: list[str] = []
    for case in cases:
        found, said = _measure(case, events or round_trips * case.useful, scratch)
        rows += _rows(found)
        remarks += said
    about = (
        f"An answer takes {LATENCY_SECONDS * 1000:g} ms. The ideal is latency x events / requests "
        "of use at once; wall time is from the start of the process. The floor keeps as many under "
        "way as are of use, and is told how many; ours has to find out, up to its setting "
        "`concurrency`. With workers, more requests wait in line for them."
    )
    columns = ("", "endpoint", "concurrency", "events", "ideal s", "wall s", "to the ideal")
    more = ("to the floor", "mean under way", "answered 429")
    return [Table("An endpoint with latency", about, (*columns, *more), rows, remarks)]


def _measure(case: Case, events: int, scratch: Path) -> tuple[list[_Row], list[str]]:
    source = Source.made(scratch, events)
    found, remarks = [], []
    for subject in case.subjects():
        name = f"{subject.name}, {case.name}, at most {case.at_most}"
        if subject.missing:
            remarks.append(f"Not measured: {name}: {subject.missing}.")
            continue
        try:
            run = measured(subject, source, scratch, endpoint=case.endpoint)
        except Failed as failed:
            remarks.append(f"Failed: {name}: {failed}.")
        else:
            if fault := incomplete(run):
                remarks.append(f"Failed: {name}: {fault}.")
            else:
                found.append(_Row(case, subject, events, run))
            progress(f"{name}: {fault or f'{run.wall_seconds:.1f} s'}")
    return found, remarks


def _rows(found: Sequence[_Row]) -> list[list[str]]:
    floors = [row.run.wall_seconds for row in found if row.subject.kind is Kind.FLOOR]
    return [_cells(row, min(floors, default=None)) for row in found]


def _cells(row: _Row, least: float | None) -> list[str]:
    case, run = row.case, row.run
    ideal = LATENCY_SECONDS * row.events / case.useful
    return [
        f"{row.subject.kind.value}: {row.subject.name}",
        case.name,
        str(case.useful if row.subject.kind is Kind.FLOOR else case.at_most),
        f"{row.events:,}",
        figure(ideal),
        figure(run.wall_seconds),
        ratio(run.wall_seconds, ideal),
        ratio(run.wall_seconds, least),
        figure(run.load.mean_in_flight),
        f"{run.load.refused / run.load.requests:.2%}",
    ]
