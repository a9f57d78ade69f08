"""Locks that a file system refuses, and locks that a stopped process holds for ever."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.conftest import DEADLINE_SECONDS, Place
from tests.faults.data_drain import drain, event, seal, segment_name
from tests.faults.table import Fault, survives, survives_each
from tests.support.endpoint import Endpoint
from uploader import config
from uploader.connector import carrier_for
from uploader.engine import Engine
from uploader.once import Ending

APPEND_THREE = """
from telemetry_spool import Spool
for number in range(3):
    Spool().append(b'{"event_type": "E", "event_details": {"n": %d}}' % number)
"""

LOCK_AND_STOP = """
import fcntl, os, signal, sys
for path in sys.argv[1:]:
    fcntl.flock(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), fcntl.LOCK_EX)
print("locked", flush=True)
os.kill(os.getpid(), signal.SIGSTOP)
"""

ERRORS = ["ENOLCK", "EOPNOTSUPP", "ENOSYS", "EINVAL"]


def run_refusing_locks(error: str, place: Place, *command: str) -> None:
    """Run a Python process in which every flock fails with this error."""
    if not shutil.which("strace"):
        pytest.skip("injecting errors takes strace")
    tracer = ["strace", "-f", "-qq", "-e", "trace=flock", "-e", f"inject=flock:error={error}"]
    done = subprocess.run(
        [*tracer, "-o", os.devnull, sys.executable, *command],
        env=os.environ | place.environ,
        check=False,
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
    )
    if "ptrace" in done.stderr:
        pytest.skip("strace may not trace here")
    assert done.returncode == 0, done.stderr


@survives_each(
    Fault("disk", f"the file system refuses locks ({error})", "each event is a segment; all arrive")
    for error in ERRORS
)
@pytest.mark.parametrize("error", ERRORS)
def test_without_locks_events_are_recorded_and_sent(place: Place, error: str) -> None:
    """As on some Lustre, NFS and FUSE file systems, for the writer and for the uploader."""
    run_refusing_locks(error, place, "-c", APPEND_THREE)
    assert len(place.sealed()) == 3

    with Endpoint() as endpoint:
        command = ("-m", "uploader.cli", "once", "--endpoint", endpoint.url)
        run_refusing_locks(error, place, *command)

    assert Counter(request.body for request in endpoint.accepted) == Counter(map(event, range(3)))
    assert place.lines() == []


@contextmanager
def held_by_a_stopped_process(*paths: Path) -> Iterator[subprocess.Popen[str]]:
    """Have a process hold the locks of files that is stopped until somebody continues it."""
    with subprocess.Popen(
        [sys.executable, "-c", LOCK_AND_STOP, *paths], stdout=subprocess.PIPE, text=True
    ) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "locked\n"
            os.waitid(os.P_PID, holder.pid, os.WSTOPPED | os.WNOWAIT)
            yield holder
        finally:
            holder.kill()


@survives(
    "disk",
    "a stopped process holds the active segment",
    "others write past it and are sent; it follows when it is let go",
)
def test_a_stopped_writer_delays_only_its_segment(place: Place) -> None:
    """And that without a ring or a rescan: nobody hears of a lock that is let go."""
    place.open().append(event(1))

    with Endpoint() as endpoint, held_by_a_stopped_process(place.active()) as holder:
        place.open().append(event(2))
        loaded = config.load({"endpoint": endpoint.url, "rescan_interval": 3600}, place.environ)
        engine = Engine(loaded, carrier_for(loaded), random.random)
        turn_until(engine, accepted=1)
        assert place.lines() == [event(1)]
        holder.send_signal(signal.SIGCONT)
        turn_until(engine, accepted=2)
        engine.shut_down()

    assert [request.body for request in endpoint.requests] == [event(2), event(1)]


def turn_until(engine: Engine, *, accepted: int) -> None:
    """Turn the engine until so many events are accepted and it is idle."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while engine.counters.accepted < accepted or not engine.idle:
        assert time.monotonic() < deadline
        engine.wait(min(0.1, engine.work()))


@survives(
    "disk", "a stopped process holds a sealed segment", "the others are sent; it is kept for later"
)
def test_a_held_sealed_segment_is_kept(place: Place) -> None:
    """A single run ends, and does not claim that all was sent."""
    for number in range(3):
        seal(place, number, event(number) + b"\n")

    with Endpoint() as endpoint:
        with held_by_a_stopped_process(place.spool / segment_name(1)):
            first = drain(place, endpoint)
        last = drain(place, endpoint)

    assert (first.ending, last.ending) == (Ending.KEPT, Ending.DRAINED)
    assert first.delivered == Counter([event(0), event(2)])
    assert last.delivered == Counter(map(event, range(3)))


@survives_each(
    Fault("disk", f"a stopped process holds the file of {what}", "the uploader waits for it once")
    for what in ("receipts", "dead letters")
)
@pytest.mark.parametrize("directory", ["receipts", "rejected"])
def test_a_held_journal_is_waited_for_once(
    place: Place, monkeypatch: pytest.MonkeyPatch, directory: str
) -> None:
    """Every event is sent; what could not be set aside stays, and nothing is sent twice."""
    lines = [event(number) for number in range(20)]
    for number, line in enumerate(lines):
        seal(place, number, line + b"\nno event\n")
    days = (datetime.now(tz=UTC), datetime.now(tz=UTC) + timedelta(days=1))
    held = [place.root / directory / f"{day:%Y-%m-%d}.jsonl" for day in days]
    held[0].parent.mkdir()
    waits: list[float] = []

    def lock_within(_: int, seconds: float) -> bool:
        waits.append(seconds)
        return False

    monkeypatch.setattr("telemetry_spool.appending.lock_within", lock_within)

    with Endpoint() as endpoint, held_by_a_stopped_process(*held):
        drained = drain(place, endpoint)

    assert drained.delivered == Counter(lines)
    assert len([wait for wait in waits if wait]) == 1
    assert len(waits) > 2
