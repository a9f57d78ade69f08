"""Where inotify sees nothing, or not all: events arrive within the polling interval."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import DEADLINE_SECONDS, Place
from tests.e2e.conftest import Site, bodies, lines
from tests.service.hosts import UNWATCHED, why_not
from tests.support.endpoint import Endpoint
from tests.support.processes import UPLOADER, running

QUEUE = Path("/proc/sys/fs/inotify/max_queued_events")
LARGEST_QUEUE = 200_000


@pytest.fixture
def remote(tmp_path: Path) -> Iterator[tuple[Place, Place]]:
    """Return a root, and the same one as it is seen through a mount that reports no changes."""
    if shutil.which("bindfs") is None or os.geteuid() != 0:
        pytest.skip("this takes root and bindfs")
    behind, mounted = tmp_path / "server", tmp_path / "mounted"
    behind.mkdir()
    mounted.mkdir()
    done = subprocess.run(["bindfs", behind, mounted], check=False, capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"bindfs may not mount: {done.stderr.strip()}")
    try:
        yield Place(behind / "telemetry"), Place(mounted / "telemetry")
    finally:
        subprocess.run(["umount", "--lazy", mounted], check=True, timeout=DEADLINE_SECONDS)


def test_what_others_write_to_a_remote_file_system_arrives(
    remote: tuple[Place, Place], endpoint: Endpoint
) -> None:
    """Without a rescan; the log says once that, and how often, it looks there."""
    behind, mounted = remote
    site = Site(mounted, endpoint.url, rescan_interval=3600, poll_interval=0.3)
    with site.daemon() as daemon:
        site.wait_until("idle")
        for number in range(3):
            behind.open().append(lines(range(number, number + 1))[0])
            assert endpoint.wait_for(number + 1, accepted=True, seconds=DEADLINE_SECONDS)
        assert daemon.stop() == 0

    assert bodies(endpoint) == dict.fromkeys(lines(range(3)), 1)
    (notice,) = [said for said in daemon.stderr.splitlines() if "looking there" in said]
    assert notice == (
        f"WARNING {mounted.spool} is on fuse, which does not report what others do there: "
        "looking there every 0.3 s"
    )


@pytest.mark.parametrize("limit", ["max_inotify_instances", "max_inotify_watches"])
def test_events_arrive_when_inotify_is_exhausted(
    place: Place, endpoint: Endpoint, limit: str
) -> None:
    """As on a machine where an editor has taken all there is; the log says so once."""
    prefix = [*UNWATCHED, f"/proc/sys/user/{limit}"]
    if reason := why_not(prefix):
        pytest.skip(reason)
    site = Site(place, endpoint.url, rescan_interval=3600, poll_interval=0.3)
    with running(UPLOADER, "run", environ=site.environ, prefix=prefix) as daemon:
        site.wait_until("idle")
        for number in range(3):
            site.record(lines(range(number, number + 1)))
            assert endpoint.wait_for(number + 1, accepted=True, seconds=DEADLINE_SECONDS)
        assert daemon.stop() == 0

    (notice,) = [said for said in daemon.stderr.splitlines() if "looking there" in said]
    assert notice.startswith(f"WARNING {place.spool} cannot be watched (inotify ")
    assert notice.endswith("): looking there every 0.3 s")


def test_an_overflow_of_the_queue_hides_no_event(place: Place, endpoint: Endpoint) -> None:
    """The kernel drops reports of what comes after more than it keeps: here, of a segment."""
    if not QUEUE.exists() or int(QUEUE.read_text()) > LARGEST_QUEUE:
        pytest.skip("there is no queue of a size to be filled")
    site = Site(place, endpoint.url, rescan_interval=3600)
    with site.daemon() as daemon:
        site.wait_until("idle")
        daemon.send(signal.SIGSTOP)
        for number in range(int(QUEUE.read_text()) + 1000):
            (place.spool / f"unknown-{number}").touch()
        site.record(lines(range(1)))
        daemon.send(signal.SIGCONT)

        assert endpoint.wait_for(1, accepted=True, seconds=DEADLINE_SECONDS)
        assert daemon.stop() == 0


def test_a_local_file_system_is_not_polled(place: Place, endpoint: Endpoint) -> None:
    """There the doorbell is enough, and nothing is said."""
    site = Site(place, endpoint.url)
    with site.daemon() as daemon:
        site.wait_until("idle")
        assert daemon.stop() == 0

    assert "looking there" not in daemon.stderr
