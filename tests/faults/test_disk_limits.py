"""A host program without descriptors, with a limit on file sizes, and with a jumping clock."""

from __future__ import annotations

import os
import resource
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from telemetry_spool.consent import ConsentReader, Mode
from telemetry_spool.recorder import Recorder
from telemetry_spool.spool import Spool
from telemetry_spool.writer_settings import writer_config
from tests.conftest import Place, run_python
from tests.faults.data_drain import drain, event
from tests.faults.table import survives
from tests.support.endpoint import Endpoint

FIRST_EVENT_WITHOUT_DESCRIPTORS = """
import os, resource
from telemetry_spool import event
resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16))
taken = []
try:
    while True:
        taken.append(os.dup(0))
except OSError:
    pass
event("REFUSED")
event("REFUSED")
for descriptor in taken:
    os.close(descriptor)
event("TAKEN")
"""

FORK_WITHOUT_DESCRIPTORS = """
import os, resource
from telemetry_spool import event
event("BEFORE")
resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16))
taken = []
try:
    while True:
        taken.append(os.dup(0))
except OSError:
    pass
event("REFUSED")
child = os.fork()
event("REFUSED")
for descriptor in taken:
    os.close(descriptor)
event("AFTER")
if child:
    assert os.waitpid(child, 0)[1] == 0
"""

SMALL_FILES = """
import resource, sys
before = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), before[1]))
from telemetry_spool import event
for number in range(50):
    event("E", {"n": number, "x": "x" * 200})
resource.setrlimit(resource.RLIMIT_FSIZE, before)
event("LAST")
"""


@contextmanager
def no_descriptors() -> Iterator[None]:
    """Let this process have no descriptor more than it has."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.dup(0)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@survives("disk", "the host program has no descriptor left", "the events are counted as lost later")
def test_events_without_a_descriptor_are_counted(place: Place) -> None:
    """Neither raised nor forgotten."""
    recorder = Recorder(writer_config(place.environ))
    assert recorder.record(event(1), Mode.ON)
    with no_descriptors():
        assert not recorder.record(event(2), Mode.ON)
        assert not recorder.record(event(3), Mode.ON)

    assert recorder.record(event(4), Mode.ON)

    assert place.lines() == [event(1), event(4)]
    assert place.losses().total() == 2
    assert all("Too many open files" in reason for reason in place.losses())


@survives(
    "disk",
    "the first event finds no descriptor",
    "it is lost without a word, the next ones are not",
)
def test_a_first_event_without_a_descriptor_does_no_harm(place: Place) -> None:
    """Settings that could not be read for want of a descriptor are read again."""
    done = run_python(FIRST_EVENT_WITHOUT_DESCRIPTORS, environ=place.environ)

    assert (done.stdout, done.stderr) == ("", "")
    assert [recorded["event_type"] for recorded in place.events()] == ["TAKEN"]


@survives(
    "disk", "there is no descriptor to read the choice of mode with", "it is read again next time"
)
def test_a_mode_that_could_not_be_read_once_is_read_again(tmp_path: Path) -> None:
    """Off while it is unknown; but not for as long as the process lives."""
    mode_file = tmp_path / "mode"
    mode_file.write_bytes(b"local")
    with no_descriptors():
        reader = ConsentReader(mode_file, {})
        assert reader.now().mode is Mode.OFF

    assert reader.now().mode is Mode.LOCAL


@survives("disk", "a process without descriptors forks", "parent and child count their own losses")
def test_a_fork_without_descriptors_counts_each_loss_once(place: Place) -> None:
    """The child does not write down again what its parent has lost."""
    done = run_python(FORK_WITHOUT_DESCRIPTORS, environ=place.environ)

    assert (done.stdout, done.stderr) == ("", "")
    recorded = sorted(event["event_type"] for event in place.events())
    assert recorded == ["AFTER", "AFTER", "BEFORE"]
    assert place.losses().total() == 3


@survives("disk", "the host program may write small files only", "lines stay whole, losses count")
def test_a_file_size_limit_counts_what_does_not_fit(place: Place) -> None:
    """Neither a signal nor half a line comes of RLIMIT_FSIZE."""
    done = run_python(SMALL_FILES, "4000", environ=place.environ)

    assert (done.stdout, done.stderr) == ("", "")
    types = [recorded["event_type"] for recorded in place.events()]
    assert types[-1] == "LAST"
    assert 0 < len(types) - 1 < 50
    assert place.losses().total() == 50 - (len(types) - 1)


@survives("disk", "the clock jumps back and forth", "every event arrives once")
def test_a_jumping_clock_loses_and_doubles_nothing(place: Place) -> None:
    """Names of segments are by time, and nothing but their order depends on it."""
    times = [
        datetime(2026, 3, 10, 12, tzinfo=UTC) + timedelta(days=days)
        for days in (0, -20_000, 0, 900_000, 0, 0, -1, 1)
    ]
    clock = iter(times * 1000)
    config = writer_config(place.environ | {"FLWR_TELEMETRY_MAX_SEGMENT_BYTES": "4096"})
    spool = Spool(config, now=lambda: next(clock))
    lines = [event(number, f', "x": "{"x" * 2000}"') for number in range(40)]
    for line in lines:
        spool.append(line)
    assert len(place.sealed()) > 10

    with Endpoint() as endpoint:
        drained = drain(place, endpoint)

    assert drained.delivered == Counter(lines)
    assert len(endpoint.requests) == len(lines)
    assert place.names() == ["uploader.lock"]
