"""Many processes at once, some of them killed: what `event()` has returned for is there, once.

Segments are sealed all the while, and somebody takes sealed ones away as an uploader does.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

from telemetry_spool.appending import try_lock
from telemetry_spool.listing import list_segments, open_segment
from telemetry_spool.quota import delete_segment
from telemetry_spool.segment import read_lines
from tests.conftest import DEADLINE_SECONDS, Place

PROCESSES = 32
EVENTS = 1000

# These go on and on, and are killed when they have got this far.
KILLED_AT = {number: 60 + 110 * index for index, number in enumerate(range(0, 32, 4))}

# After each event that returned, its number goes where a kill cannot take it back: a shared map.
RECORDER = """
import mmap, sys
from telemetry_spool import event
process, events, counter = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
with open(counter, "r+b") as file:
    returned = mmap.mmap(file.fileno(), 8)
sys.stdin.read()
for number in range(events):
    event("RUN", {"process": process, "number": number, "padding": "x" * (number % 97)})
    returned[:] = (number + 1).to_bytes(8, "little")
"""


class Recorder:
    """A process that records, and says how many calls of `event()` have returned."""

    def __init__(self, number: int, directory: Path, environ: dict[str, str]) -> None:
        self.number = number
        self._counter = directory / f"returned.{number}"
        self._counter.write_bytes(bytes(8))
        events = 10**9 if number in KILLED_AT else EVENTS
        self.process = subprocess.Popen(
            [sys.executable, "-c", RECORDER, str(number), str(events), self._counter],
            env=os.environ | environ,
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def begin(self) -> None:
        """Let it record."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.stdin = None

    @property
    def returned(self) -> int:
        """Tell how many events it has been told are recorded."""
        return int.from_bytes(self._counter.read_bytes(), "little")

    def kill_at(self, count: int) -> None:
        """Kill it in the middle of whatever it does once it has got so far."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while self.returned < count and time.monotonic() < deadline:
            os.sched_yield()
        self.process.send_signal(signal.SIGKILL)

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait(DEADLINE_SECONDS)


class Mover:
    """Takes sealed segments away as an uploader does: lock, read to the end, delete."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.lines: list[bytes] = []
        self.segments = 0

    def __enter__(self) -> Mover:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(DEADLINE_SECONDS)

    def _run(self) -> None:
        while not self._stop.wait(0.002):
            for segment in list_segments(str(self._place.spool)):
                if segment.kind.active:
                    self._seal(segment.path)
                else:
                    self._take(segment.path)

    def _take(self, path: str) -> None:
        descriptor = open_segment(path, write=True)
        try:
            if try_lock(descriptor):
                self.lines += [line.data for line in read_lines(descriptor, limit=2**20)]
                delete_segment(path, descriptor)
                self.segments += 1
        finally:
            os.close(descriptor)

    def _seal(self, path: str) -> None:
        """Seal what is active, in between the writers' own seals, now and then."""
        if self.segments % 5:
            return
        try:
            descriptor = open_segment(path, write=True)
        except FileNotFoundError:
            return
        try:
            if try_lock(descriptor) and os.path.samestat(os.stat(path), os.fstat(descriptor)):
                self.segments += 1
                os.rename(path, self._place.spool / f"20260101T000000Z-{self.segments:016x}.jsonl")
        except FileNotFoundError:
            return
        finally:
            os.close(descriptor)


def test_every_event_that_returned_is_there_once_and_every_line_is_whole(
    place: Place, tmp_path: Path
) -> None:
    """32 processes with 1,000 events each, every fourth killed with SIGKILL on its way."""
    environ = place.environ | {"FLWR_TELEMETRY_MAX_SEGMENT_BYTES": "65536"}
    with ExitStack() as stack:
        recorders = [
            stack.enter_context(Recorder(number, tmp_path, environ)) for number in range(PROCESSES)
        ]
        mover = stack.enter_context(Mover(place))
        for recorder in recorders:
            recorder.begin()
        for number, count in KILLED_AT.items():
            recorders[number].kill_at(count)
        errors = [
            recorder.process.communicate(timeout=DEADLINE_SECONDS)[1] for recorder in recorders
        ]

    found: Counter[tuple[int, int]] = Counter()
    for line in mover.lines + place.lines():
        details = json.loads(line)["event_details"]
        found[details["process"], details["number"]] += 1
    codes = {recorder.number: recorder.process.returncode for recorder in recorders}
    expected = {
        (recorder.number, event) for recorder in recorders for event in range(recorder.returned)
    }
    # A process can be killed after its line was written and before `event()` has returned.
    in_flight = {(recorder.number, recorder.returned) for recorder in recorders}
    assert errors == [b""] * PROCESSES
    assert codes == {
        number: -signal.SIGKILL if number in KILLED_AT else 0 for number in range(PROCESSES)
    }
    assert set(found) - in_flight == expected
    assert set(found.values()) == {1}
    assert len(expected) >= (PROCESSES - len(KILLED_AT)) * EVENTS
    assert place.losses() == {}
    assert mover.segments > 10
