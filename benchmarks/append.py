"""What an event costs the program that records it, beside the least that Python could do.

    python -m benchmarks.append

The floor is `json.dumps` of the same payload and one `os.write` to a descriptor that is open
already: no consent, no lock, nothing that another process could rely on. Each subject runs in a
process of its own, and the rounds take turns in random order, so that noise hits all alike. All of
it happens in a temporary directory.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter_ns
from typing import IO

REPOSITORY = Path(__file__).resolve().parents[1]

ROUND_EVENTS = 500
ROUNDS = 40
STARTS = 30

DETAILS = {"num-supernodes": 10, "success": True, "run-id-hash": "0" * 32}

# A segment is sealed, and the spool looked through, once in 1,300 events: no percentile below 99.9
# shows it, but the mean does.
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


@dataclass
class Subject:
    """One way to record, in a process of its own, and the nanoseconds of each of its events."""

    name: str
    process: subprocess.Popen[str]
    nanoseconds: list[int] = field(default_factory=list)

    def take_turn(self, *, counts: bool = True) -> None:
        """Have it record one round; the first one of a process does not count."""
        stdin, stdout = self._pipes()
        stdin.write("go\n")
        stdin.flush()
        times = json.loads(stdout.readline())
        if counts:
            self.nanoseconds += times

    def _pipes(self) -> tuple[IO[str], IO[str]]:
        stdin, stdout = self.process.stdin, self.process.stdout
        if stdin is None or stdout is None:
            raise ValueError("the process was started without pipes")
        return stdin, stdout


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.append",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--starts", type=int, default=STARTS)
    parser.add_argument("--subject", choices=("floor", "event"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.subject:
        serve(floor() if arguments.subject == "floor" else event())
        return
    with tempfile.TemporaryDirectory() as directory:
        measure_events(Path(directory), arguments.rounds)
        measure_start_up(arguments.starts)


def serve(record: Callable[[], None]) -> None:
    """Record one round for each line that comes in, and answer with the time of each event."""
    for _ in sys.stdin:
        times = []
        for _ in range(ROUND_EVENTS):
            begin = perf_counter_ns()
            record()
            times.append(perf_counter_ns() - begin)
        sys.stdout.write(json.dumps(times) + "\n")
        sys.stdout.flush()


def event() -> Callable[[], None]:
    """Return what records one event into the spool."""
    from telemetry_spool import event as record

    return lambda: record("RUN_SUPERLINK_LEAVE", DETAILS)


def floor() -> Callable[[], None]:
    """Return what dumps the payload of such an event and writes it to an open descriptor."""
    record = event()
    record()
    spool = Path(os.environ["FLWR_TELEMETRY_DIR"]) / "spool"
    (segment,) = spool.iterdir()
    payload = json.loads(segment.read_bytes())
    descriptor = os.open(spool / "floor", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def dump_and_write() -> None:
        payload["context"]["date"] = datetime.now(tz=UTC).isoformat()
        os.write(descriptor, json.dumps(payload).encode() + b"\n")

    return dump_and_write


def measure_events(directory: Path, rounds: int) -> None:
    """Measure all subjects, in turns, and print a line for each."""
    spools = {"event(), empty spool": 0}
    spools |= {f"event(), {count:,} sealed segments behind it": count for count in (100, 10_000)}
    with ExitStack() as stack:
        floor_root = directory / "floor"
        subjects = [stack.enter_context(started("json.dumps + os.write", "floor", floor_root))]
        for name, count in spools.items():
            root = directory / str(count)
            fill(root / "spool", count)
            subjects.append(stack.enter_context(started(name, "event", root)))
        for subject in subjects:
            subject.take_turn(counts=False)
        for _ in range(rounds):
            for subject in random.sample(subjects, len(subjects)):
                subject.take_turn()
    size = _event_bytes(directory / "0" / "spool")
    events = len(subjects[0].nanoseconds)
    _write(f"One event of {size} bytes, µs on the calling thread, {events:,} events each\n")
    _write_table(subjects)


def fill(spool: Path, count: int) -> None:
    """Put small sealed segments into a spool, as a long time offline leaves them."""
    spool.mkdir(mode=0o700, parents=True)
    for number in range(count):
        (spool / f"20260101T000000Z-{number:016x}.jsonl").write_bytes(b"{}\n")


@contextmanager
def started(name: str, kind: str, root: Path) -> Iterator[Subject]:
    """Start the process of a subject that records below `root`; end it with the block."""
    environ = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith("FLWR_") and key != "DO_NOT_TRACK"
    }
    environ |= {
        "FLWR_TELEMETRY_DIR": str(root),
        "FLWR_TELEMETRY_MAX_SPOOL_BYTES": "1GiB",
        "FLWR_HOME": str(root),
        "XDG_CONFIG_HOME": str(root),
        "XDG_CONFIG_DIRS": str(root),
    }
    with subprocess.Popen(  # noqa: S603 - this very module
        [sys.executable, "-m", "benchmarks.append", "--subject", kind],
        cwd=REPOSITORY,
        env=environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield Subject(name, process)


def _event_bytes(spool: Path) -> int:
    newest = max(spool.iterdir(), key=lambda path: path.stat().st_mtime_ns)
    return len(newest.read_bytes().splitlines()[0])


def measure_start_up(starts: int) -> None:
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
    _write(f"\nThe start-up file in a bare interpreter, ms, median of {starts} starts each\n")
    _write(f"{'interpreter without it':48}{without:9.2f}\n")
    _write(f"{'interpreter with it':48}{with_it:9.2f}{'':20}{with_it / without:9.2f}\n")
    _write(f"{'by itself: import and arm()':48}{statistics.median(by_itself):9.3f}\n")


def _write_table(subjects: Sequence[Subject]) -> None:
    _write(f"{HEADER[0]:48}" + "".join(f"{title:>9}" for title in HEADER[1:]) + "\n")
    least = statistics.median(subjects[0].nanoseconds)
    for subject in subjects:
        median = statistics.median(subject.nanoseconds)
        p99 = statistics.quantiles(subject.nanoseconds, n=100)[98]
        mean = statistics.fmean(subject.nanoseconds)
        figures = "".join(f"{figure / 1e3:9.1f}" for figure in (median, p99, mean))
        _write(f"{subject.name:48}{figures}{median / least:9.2f}\n")


def _write(text: str) -> None:
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
