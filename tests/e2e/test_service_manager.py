"""What a service manager hears of a daemon, from its start to its end."""

from __future__ import annotations

import fcntl
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from telemetry_spool import paths
from tests.e2e.conftest import Site, lines
from tests.support.endpoint import Answer, Endpoint
from tests.support.manager import Manager, listening
from tests.support.processes import poll


@pytest.fixture
def manager(tmp_path: Path, site: Site) -> Iterator[Manager]:
    """Return a service manager that the site's daemon tells everything."""
    with listening(tmp_path / "notify") as listener:
        site.environ |= listener.environ
        yield listener


def is_locked(path: Path) -> bool:
    """Tell whether a process has a file locked."""
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def test_ready_means_locked_and_watched(site: Site, manager: Manager, endpoint: Endpoint) -> None:
    """An event recorded from then on is sent without a rescan."""
    site.set(rescan_interval=3600)
    with site.daemon() as daemon:
        ready = manager.hear()
        assert ready["READY"] == "1"
        assert is_locked(site.place.spool / "uploader.lock")
        site.record(lines(range(1)))
        assert endpoint.wait_for(1, accepted=True)
        assert daemon.stop() == 0

    while "STOPPING" not in manager.hear():
        pass
    assert [message for message in manager.heard if "READY" in message] == [ready]


def test_the_status_says_what_is_sent_and_why_it_waits(
    site: Site, manager: Manager, endpoint: Endpoint
) -> None:
    """As `telemetry-spool status` does: activity, reason, remedy, figures."""
    endpoint.answer = lambda _: Answer(404)
    site.record(lines(range(3)))
    with site.daemon() as daemon:
        held = manager.hear_until("STATUS", "held")["STATUS"]
        assert held.startswith("held: HTTP 404; ")
        assert "check the setting `endpoint`" in held
        assert "next try at " in held
        assert held.endswith("0 events sent; 1 segment waiting")
        assert daemon.stop() == 0


def test_an_uploader_that_stands_by_is_ready(site: Site, manager: Manager) -> None:
    """It does what it is there for; its status says that, and later that it took over."""
    with site.daemon() as first:
        manager.hear_until("READY")
        with site.daemon() as second:
            standing = manager.hear_until("READY")
            assert standing["STATUS"].startswith(f"uploader {first.pid} ")
            assert standing["STATUS"].endswith("standing by")
            first.kill()
            manager.hear_until("STATUS", "idle")
            assert second.stop() == 0


def test_a_daemon_without_consent_is_ready(site: Site, manager: Manager) -> None:
    """It makes no directory, and says why it does nothing."""
    site.environ["DO_NOT_TRACK"] = "1"
    with site.daemon() as daemon:
        assert manager.hear()["STATUS"] == "paused: mode off: DO_NOT_TRACK is set"
        assert not site.place.root.exists()
        assert daemon.stop() == 0


def test_wrong_settings_are_never_ready(site: Site, manager: Manager) -> None:
    """The exit code tells the manager not to try again."""
    path = paths.config_files()[0]
    path.parent.mkdir(parents=True)
    path.write_text("concurrency = 0\n")
    with site.daemon() as daemon:
        assert daemon.ended() == os.EX_CONFIG

    assert manager.hears_nothing("READY", seconds=0.05)


@pytest.mark.parametrize("state", ["idle", "waiting", "standing by", "paused"])
def test_signs_of_life_come_whatever_it_does(
    site: Site, manager: Manager, endpoint: Endpoint, state: str
) -> None:
    """Though neither the rescan nor the end of a wait is near."""
    site.set(rescan_interval=3600)
    endpoint.answer = lambda _: Answer(503, {"Retry-After": "600"})
    if state == "waiting":
        site.record(lines(range(1)))
    if state == "paused":
        site.environ["DO_NOT_TRACK"] = "1"
    first = site.daemon()
    if state == "standing by":
        first.__enter__()
        manager.hear_until("READY")
    site.environ["WATCHDOG_USEC"] = "600000"
    with site.daemon() as daemon:
        manager.hear_until("STATUS", state)
        for _ in range(4):
            manager.hear_until("WATCHDOG", "1")
        assert daemon.stop() == 0
    if state == "standing by":
        first.__exit__(None, None, None)


def test_signs_of_life_come_during_a_reload_that_waits(
    site: Site, manager: Manager, endpoint: Endpoint
) -> None:
    """A request that takes its time must not look like a main loop that hangs."""
    endpoint.answer = lambda _: Answer(delay=3600)
    site.record(lines(range(1)))
    site.environ["WATCHDOG_USEC"] = "600000"
    with site.daemon() as daemon:
        assert endpoint.wait_for(1)
        daemon.send(signal.SIGHUP)
        manager.hear_until("RELOADING")
        for _ in range(4):
            assert "READY" not in manager.hear_until("WATCHDOG", "1")
        assert daemon.stop() == 0


def test_a_main_loop_that_hangs_gives_no_sign_of_life(
    site: Site, manager: Manager, endpoint: Endpoint
) -> None:
    """Though other threads go on: it hangs as it would on a file server that does not answer.

    What it writes its heartbeat to is a pipe that nobody reads.
    """
    site.environ["WATCHDOG_USEC"] = "600000"
    site.environ["FLWR_TELEMETRY_TRANSPORT"] = "requests"  # whose threads go on
    with site.daemon() as daemon:
        manager.hear_until("WATCHDOG", "1")
        site.wait_until("idle")
        os.mkfifo(site.place.root / "status.json.tmp")
        site.record(lines(range(1)))
        assert endpoint.wait_for(1, accepted=True)  # then a heartbeat is due
        poll(lambda: manager.hears_nothing("WATCHDOG", seconds=3.0), "an end of the signs of life")
        daemon.kill()
