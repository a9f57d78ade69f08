"""What an event costs the program that records it, beside the least that Python could do.

    python -m benchmarks.append [--json FILE]

The floor is `json.dumps` of the same payload and one `os.write` to a descriptor that is open
already: no consent, no lock, nothing that another process could rely on. Each subject runs in a
process of its own, and the rounds take turns in random order, so that noise hits all alike. All of
it happens in a temporary directory. Queues from PyPI: `pip install -r benchmarks/requirements.txt`.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter, perf_counter_ns

from benchmarks.arguments import count
from benchmarks.recorders import PACKAGES
from benchmarks.subjects import REPOSITORY, Subject, started

ROUNDS = 40
STARTS = 30

# The first segments that a process seals in a new spool are followed by a look at all of them.
WARM_UP_EVENTS = 4_500

QUEUES = {
    "sqlite": "sqlite3, WAL, synchronous=NORMAL",
    "litequeue": "litequeue",
    "persist-queue": "persist-queue, SQLiteQueue",
    "dirq": "dirq, QueueSimple",
    "azure": "Azure exporter, LocalFileStorage",
}
BACKLOG = 10_000
# With more files, Azure's storage takes longer for each than anybody would wait.
AZURE_BACKLOG = 250
# What makes a file an event must not fill its own directory while it is measured.
QUEUE_ROUND_EVENTS, AZURE_ROUND_EVENTS = 50, 2

CROWD = 32
CROWD_EVENTS = 1_000
CROWD_ROUNDS = 5

LINE = b"x" * 703 + b"\n"
SEGMENT_LINES = 2**20 // len(LINE) + 1

HEADER = ("", "median", "p99", "mean", "ratio")

START_UP = f"""
import os, sys
sys.path.insert(0, {str(REPOSITORY)!r})
from time import perf_counter_ns
begin = perf_counter_ns()
from telemetry_spool.startup import arm
arm()
print(perf_counter_ns() - begin)
"""

NO_START_UP = f"""
import os, sys
sys.path.insert(0, {str(REPOSITORY)!r})
from time import perf_counter_ns
print(0)
"""

Row = dict[str, str | float]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.append",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rounds", type=count, default=ROUNDS)
    parser.add_argument("--starts", type=count, default=STARTS)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows to this file")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        rows = measure_events(Path(directory, "events"), arguments.rounds)
        rows += measure_crowds(Path(directory, "crowds"))
    rows += measure_start_up(arguments.starts)
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


def measure_events(directory: Path, rounds: int) -> list[Row]:
    """Measure all subjects, in turns, and print a line for each."""
    with ExitStack() as stack:
        subjects = [
            stack.enter_context(started("json.dumps + os.write", "floor", directory / "floor")),
            stack.enter_context(
                started("the same with open, flock, close", "plain", directory / "plain")
            ),
        ]
        for name, put, limit in spools():
            root = directory / f"spool{len(subjects)}"
            put(root / "spool")
            process = started(name, "event", root, max_spool_bytes=limit)
            subjects.append(stack.enter_context(process))
        for subject in subjects:
            subject.ask(WARM_UP_EVENTS)
            subject.answer()
        subjects += queues(directory, stack)
        for turn in range(rounds + 1):
            for subject in random.sample(subjects, len(subjects)):
                subject.take_turn(counts=turn > 0)
    size = len((directory / "floor" / "floor").read_bytes().splitlines()[0])
    _write(f"One event of {size} bytes, µs on the calling thread\n")
    return _table(subjects)


def spools() -> Iterator[tuple[str, Callable[[Path], None], str]]:
    """Yield the spools to append to: a name, what fills them, and how large they may be."""
    yield "event(), empty spool", partial(fill, count=0), "1GiB"
    yield "event(), 10,000 sealed segments behind it", partial(fill, count=10_000), "1GiB"
    million = partial(fill, count=710, lines=SEGMENT_LINES)
    yield "event(), 1,000,000 events (710 segments) behind it", million, "4GiB"
    full = partial(fill, count=63, lines=SEGMENT_LINES, linked=False)
    yield "event(), a full spool of 64 MiB", full, "64MiB"


def fill(spool: Path, *, count: int, lines: int = 1, linked: bool = True) -> None:
    """Put sealed segments into a spool, as a long time offline leaves them.

    Where none is going to be deleted they are links to one file: 10,000 of them need no room.
    """
    spool.mkdir(mode=0o700, parents=True)
    first = spool / f"20260101T000000Z-{0:016x}.jsonl"
    for number in range(count):
        path = first.with_name(f"20260101T000000Z-{number:016x}.jsonl")
        if number == 0:
            path.write_bytes(LINE * lines)
        elif linked:
            path.hardlink_to(first)
        else:
            shutil.copyfile(first, path)


def queues(directory: Path, stack: ExitStack) -> Iterator[Subject]:
    """Start the queues that are installed, each empty and with a backlog."""
    for recorder, name in QUEUES.items():
        if not installed(recorder):
            _write(f"skipped: {name}: {PACKAGES[recorder]} is not installed\n")
            continue
        azure = recorder == "azure"
        for backlog in (0, AZURE_BACKLOG if azure else BACKLOG):
            subject = started(
                f"{name}, {f'{backlog:,} behind it' if backlog else 'empty'}",
                recorder,
                directory / f"{recorder}{backlog}",
                backlog=backlog,
                round_events=AZURE_ROUND_EVENTS if azure else QUEUE_ROUND_EVENTS,
            )
            yield stack.enter_context(subject)


def installed(recorder: str) -> bool:
    """Tell whether the package of a recorder can be imported."""
    if recorder not in PACKAGES:
        return True
    try:
        return find_spec(PACKAGES[recorder]) is not None
    except ModuleNotFoundError:
        return False


def measure_crowds(directory: Path) -> list[Row]:
    """Measure processes that record into one file at once, in turns, and print."""
    names = {"plain": "open, flock, write, close in Python", "event": "event()"}
    rates: dict[str, list[float]] = {recorder: [] for recorder in names}
    with ExitStack() as stack:
        crowds = {
            recorder: stack.enter_context(crowd(recorder, directory / recorder))
            for recorder in names
        }
        for turn in range(CROWD_ROUNDS + 1):
            for recorder in random.sample(sorted(crowds), len(crowds)):
                begin = perf_counter()
                for subject in crowds[recorder]:
                    subject.ask(CROWD_EVENTS)
                for subject in crowds[recorder]:
                    subject.answer()
                if turn:
                    rates[recorder].append(CROWD * CROWD_EVENTS / (perf_counter() - begin))
    least = statistics.median(rates["plain"])
    _write(f"\n{CROWD} processes at once, events a second of all together, median\n")
    rows: list[Row] = []
    for recorder, name in names.items():
        rate = statistics.median(rates[recorder])
        _write(f"{name:52}{rate:9,.0f}{'':18}{rate / least:9.2f}\n")
        rows.append({"name": f"{CROWD} processes: {name}", "events_per_second": rate})
    segments = len(list((directory / "event" / "spool").glob("*.jsonl")))
    _write(f"(in {segments} files: an event that cannot have the lock in time gets its own)\n")
    return rows


@contextmanager
def crowd(recorder: str, root: Path) -> Iterator[list[Subject]]:
    """Start many processes that record the same way in the same place."""
    with ExitStack() as stack:
        yield [stack.enter_context(started(recorder, recorder, root)) for _ in range(CROWD)]


def measure_start_up(starts: int) -> list[Row]:
    """Measure what the start-up file costs an interpreter that never imports Flower, and print."""
    by_itself: list[float] = []
    wall: dict[str, list[float]] = {NO_START_UP: [], START_UP: []}
    for number in range(starts + 1):
        for code in random.sample(sorted(wall), 2):
            begin = perf_counter_ns()
            done = subprocess.run(  # noqa: S603 - this interpreter
                [sys.executable, "-I", "-S", "-c", code], check=True, capture_output=True
            )
            if number:  # the first one compiles
                wall[code].append((perf_counter_ns() - begin) / 1e6)
                if code is START_UP:
                    by_itself.append(int(done.stdout) / 1e6)
    without, with_it = (statistics.median(wall[code]) for code in (NO_START_UP, START_UP))
    itself = statistics.median(by_itself)
    _write(f"\nThe start-up file in a bare interpreter, ms, median of {starts} starts each\n")
    _write(f"{'interpreter without it':52}{without:9.2f}\n")
    _write(f"{'interpreter with it':52}{with_it:9.2f}{'':18}{with_it / without:9.2f}\n")
    _write(f"{'by itself: import and arm()':52}{itself:9.3f}\n")
    return [
        {"name": "interpreter without the start-up file", "ms": without},
        {"name": "interpreter with the start-up file", "ms": with_it},
        {"name": "the start-up file by itself", "ms": itself},
    ]


def _table(subjects: Sequence[Subject]) -> list[Row]:
    _write(f"{HEADER[0]:52}" + "".join(f"{title:>9}" for title in HEADER[1:]) + "\n")
    least, *_ = subjects[0].figures()
    rows: list[Row] = []
    for subject in subjects:
        median, p99, mean = subject.figures()
        figures = "".join(f"{figure:9.1f}" for figure in (median, p99, mean))
        _write(f"{subject.name:52}{figures}{median / least:9.2f}\n")
        rows.append(
            {
                "name": subject.name,
                "events": len(subject.nanoseconds),
                "median_us": median,
                "p99_us": p99,
                "mean_us": mean,
                "ratio": median / least,
            }
        )
    return rows


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


if __name__ == "__main__":
    main()
