"""Measure subjects in rounds that take turns in random order, so that noise hits all alike."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks.drain.measuring import Run, measured
from benchmarks.drain.processes import Failed
from benchmarks.drain.source import Source
from benchmarks.drain.subjects import Subject

WARM_UP_EVENTS = 2_000


@dataclass(slots=True)
class Measured:
    """A subject and its runs; none and `failure` if one of them went wrong."""

    subject: Subject
    runs: list[Run] = field(default_factory=list)
    failure: str = ""

    def median(self, of: Callable[[Run], float]) -> float:
        """Return the median of a figure over the runs."""
        return median(map(of, self.runs))


def take_turns(
    subjects: Sequence[Subject],
    events: int,
    rounds: int,
    scratch: Path,
    fault: Callable[[Run], str] = lambda _: "",
) -> list[Measured]:
    """Measure every subject that is not missing, once a round; `fault` finds fault with a run.

    One that fails, or does not deliver every event, is not tried again. A first round of few events
    does not count: it warms up what can be, and tells early what cannot work.
    """
    found = [Measured(subject) for subject in subjects if not subject.missing]
    for each in found:
        _measure(each, min(events, WARM_UP_EVENTS), 0, scratch, fault)
        each.runs.clear()
    for number in range(1, rounds + 1):
        for each in random.sample(found, len(found)):
            if not each.failure:
                _measure(each, events, number, scratch, fault)
    return found


def _measure(
    each: Measured, events: int, number: int, scratch: Path, fault: Callable[[Run], str]
) -> None:
    subject = each.subject
    source = Source.made(scratch, max(1, round(events * subject.share)))
    try:
        run = measured(subject, source, scratch)
    except Failed as failed:
        each.failure = str(failed)
    else:
        each.failure = incomplete(run) or fault(run)
        each.runs.append(run)
    said = each.failure or f"{run.cpu_microseconds:.2f} µs CPU an event, {run.wall_seconds:.1f} s"
    progress(f"{f'round {number}' if number else 'warm-up'}: {subject.name}: {said}")


def incomplete(run: Run) -> str:
    """Say what did not arrive as it was; nothing if all did."""
    verdict = run.verdict
    if verdict.complete:
        return ""
    return (
        f"of {verdict.expected:,} events {verdict.missing:,} did not arrive, "
        f"and {verdict.foreign:,} arrived that are none of them"
    )


def progress(text: str) -> None:
    """Tell the person who waits."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
