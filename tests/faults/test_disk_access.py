"""A spool that may not be written or read, before the uploader starts and in the middle."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from telemetry_spool.consent import Mode
from telemetry_spool.recorder import Recorder
from telemetry_spool.writer_settings import writer_config
from tests.conftest import DEADLINE_SECONDS, UNPRIVILEGED, Place, run_python
from tests.faults.data_drain import drain, event, seal, segment_name
from tests.faults.disk_mounts import mount, tmpfs, unmount
from tests.faults.table import survives
from tests.support.endpoint import CREATED, Answer, Endpoint, Request
from uploader.once import Ending

NOBODY = 65534

# What it needs is loaded while it may still read it.
UPLOADER_UNPRIVILEGED = f"""
import uploader.transport
from uploader import config
from uploader.once import drain
{UNPRIVILEGED}
try:
    print(drain(config.load({{}}), 0.1, lambda engine: None).ending.value)
except PermissionError:
    print("denied")
"""

WITHOUT_A_HOME = """
import os, sys
import telemetry_spool.standalone, platformdirs.unix, tomllib, logging, encodings.idna
os.setgid(54321)
os.setuid(54321)
from telemetry_spool import event
event("E")
"""


@survives(
    "disk", "the file system is mounted read-only", "losses are counted once it can be written"
)
def test_events_on_a_read_only_file_system_are_counted(tmp_path: Path) -> None:
    """It may become so in the middle, and writable again."""
    with tmpfs(tmp_path / "disk", "size=1m") as disk:
        place = Place(disk / "telemetry")
        recorder = Recorder(writer_config(place.environ))
        assert recorder.record(event(1), Mode.ON)
        assert mount("-o", "remount,ro", str(disk))
        assert not recorder.record(event(2), Mode.ON)
        assert not recorder.record(event(3), Mode.ON)
        assert mount("-o", "remount,rw", str(disk))

        assert recorder.record(event(4), Mode.ON)

        assert place.lines() == [event(1), event(4)]
        assert place.losses().total() == 2


@survives(
    "disk",
    "the file system becomes read-only while the uploader drains it",
    "what it has open is sent once, the rest later",
)
def test_a_file_system_that_becomes_read_only_is_drained_later(tmp_path: Path) -> None:
    """What could be sent again and again is not sent at all."""
    with tmpfs(tmp_path / "disk", "size=1m") as disk, Endpoint() as endpoint:
        place = Place(disk)
        for number in range(3):
            seal(place, number, b"".join(event(2 * number + i) + b"\n" for i in range(2)))
        read_only: list[bool] = []

        def become_read_only(request: Request) -> Answer:
            if request.body == event(2) and not read_only:
                # Over it: a file system that has a file open for writing refuses to be remounted.
                read_only.append(mount("--bind", str(disk), str(disk)))
                read_only.append(mount("-o", "remount,bind,ro", str(disk)))
            return CREATED

        endpoint.answer = become_read_only
        first = drain(place, endpoint, concurrency=1)
        assert read_only == [True, True]
        again = drain_refused(place, endpoint)
        unmount(disk)
        last = drain(place, endpoint)

    assert first.ending is Ending.KEPT
    assert first.delivered == Counter(map(event, range(4)))
    assert "Read-only file system" in again
    assert last.ending is Ending.DRAINED
    assert last.delivered == Counter(map(event, range(6)))


def drain_refused(place: Place, endpoint: Endpoint) -> str:
    """Run `telemetry-uploader once`, see it refuse in one line, and return that."""
    done = subprocess.run(
        [sys.executable, "-m", "uploader.cli", "once", "--endpoint", endpoint.url],
        env=os.environ | place.environ,
        check=False,
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
    )
    assert done.returncode == os.EX_CANTCREAT
    assert done.stderr.count("\n") == 1
    return done.stderr


@survives("disk", "a segment or its progress may not be read", "the others arrive, it is kept")
def test_a_file_that_may_not_be_read_stops_no_other(reachable: Path) -> None:
    """As soon as it may be read, it is sent as well."""
    place = Place(reachable / "telemetry")
    for number in range(3):
        seal(place, number, event(number) + b"\n")
    progress = place.spool / segment_name(2).replace("jsonl", "acked")
    progress.write_bytes(b"%d\n" % (len(event(2)) + 1))
    give_to_nobody(place.root)
    progress.chmod(0)
    forbidden = place.spool / segment_name(1)
    forbidden.chmod(0)

    with Endpoint() as endpoint:
        assert drain_as_nobody(place, endpoint) == "kept"
        assert sorted(request.body for request in endpoint.accepted) == [event(0), event(2)]
        assert place.names() == [forbidden.name, "uploader.lock"]

        forbidden.chmod(0o600)
        assert drain_as_nobody(place, endpoint) == "drained"
        assert endpoint.accepted[-1].body == event(1)


@survives("disk", "the spool may not be written", "the uploader says so in a line; nothing is lost")
def test_a_spool_that_may_not_be_written_is_left_alone(reachable: Path) -> None:
    """What cannot be deleted would be sent for ever."""
    place = Place(reachable / "telemetry")
    seal(place, 1, event(1) + b"\n")
    give_to_nobody(place.root)
    place.spool.chmod(0o555)

    with Endpoint() as endpoint:
        assert drain_as_nobody(place, endpoint) == "denied"

    assert endpoint.requests == []
    assert place.lines() == [event(1)]


def give_to_nobody(directory: Path) -> None:
    """Make everything in a directory the unprivileged user's, as far as that is allowed."""
    if os.geteuid() == 0:
        for path in (directory, *directory.rglob("*")):
            os.chown(path, NOBODY, NOBODY)


def drain_as_nobody(place: Place, endpoint: Endpoint) -> str:
    """Run the uploader once, as a user whom permissions stop; return how it ended."""
    home = str(place.root.parent)
    settings = {
        "FLWR_TELEMETRY_ENDPOINT": endpoint.url,
        "HOME": home,
        "XDG_CONFIG_HOME": home,
        "XDG_CONFIG_DIRS": home,
    }
    done = run_python(UPLOADER_UNPRIVILEGED, environ=place.environ | settings)
    return done.stdout.strip()


@survives(
    "disk", "the user has no home directory", "the host program neither fails nor says a word"
)
@pytest.mark.skipif(os.geteuid() != 0, reason="becoming a user without a home takes root")
def test_without_a_home_a_host_program_goes_on() -> None:
    """Neither HOME nor the user database knows one."""
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_A_HOME],
        env={"PATH": os.environ["PATH"]},
        check=False,
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
