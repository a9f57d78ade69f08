"""SIGHUP: settings are read again, and nothing that is under way suffers."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from telemetry_spool import paths
from tests.e2e.conftest import Site, bodies, ids, lines
from tests.support.endpoint import CREATED, Answer, Endpoint
from tests.support.manager import Manager, listening
from tests.support.processes import Running, poll


@pytest.fixture
def settings() -> Path:
    """Return the path of the user's settings file."""
    path = paths.config_files()[0]
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


@pytest.fixture
def manager(tmp_path: Path, site: Site) -> Iterator[Manager]:
    """Return a service manager that the site's daemon tells everything."""
    with listening(tmp_path / "notify") as listener:
        site.environ |= listener.environ
        yield listener


@pytest.fixture
def other() -> Iterator[Endpoint]:
    """Return another endpoint."""
    with Endpoint() as started:
        yield started


def choose(settings: Path, endpoint: Endpoint) -> None:
    """Write an endpoint into the settings file."""
    settings.write_text(f'endpoint = "{endpoint.url}"\n')


def reload(daemon: Running, manager: Manager) -> dict[str, str]:
    """Reload the settings, and return what the daemon says when that is over."""
    daemon.send(signal.SIGHUP)
    assert manager.hear_until("RELOADING")["RELOADING"] == "1"
    return manager.hear_until("READY")


def test_new_settings_hold_and_the_old_ones_do_not(
    site: Site, settings: Path, manager: Manager, endpoint: Endpoint, other: Endpoint
) -> None:
    """The lock is held throughout, the figures go on, and nothing is sent twice."""
    first, second = lines(range(5)), lines(range(5, 10))
    del site.environ["FLWR_TELEMETRY_ENDPOINT"]
    choose(settings, endpoint)
    site.record(first)
    with site.daemon() as daemon:
        site.wait_until_drained()
        lock = (site.place.spool / "uploader.lock").stat()
        choose(settings, other)
        reload(daemon, manager)
        site.record(second)
        site.wait_until_drained()
        poll(lambda: site.heartbeat()["accepted"] == 10, "ten events since the start")
        assert site.heartbeat()["endpoint"] == other.url
        assert (site.place.spool / "uploader.lock").stat().st_mtime_ns == lock.st_mtime_ns
        assert daemon.stop() == 0

    assert bodies(endpoint) == dict.fromkeys(first, 1)
    assert bodies(other) == dict.fromkeys(second, 1)
    assert site.receipts() == ids(first + second)


def test_flags_hold_across_a_reload(
    site: Site, settings: Path, manager: Manager, endpoint: Endpoint, other: Endpoint
) -> None:
    """What was said on the command line still wins over the file."""
    choose(settings, other)
    with site.daemon("--endpoint", endpoint.url) as daemon:
        manager.hear_until("READY")
        reload(daemon, manager)
        site.record(lines(range(3)))
        assert endpoint.wait_for(3, accepted=True)
        assert daemon.stop() == 0

    assert other.requests == []


def test_a_request_under_way_is_waited_for(
    site: Site, settings: Path, manager: Manager, endpoint: Endpoint, other: Endpoint
) -> None:
    """Longer than a stop would wait: it is not sent a second time, to the new endpoint."""
    del site.environ["FLWR_TELEMETRY_ENDPOINT"]
    choose(settings, endpoint)
    (event,) = lines(range(1))
    endpoint.answer = lambda _: Answer(delay=8.0)
    site.record([event])
    with site.daemon() as daemon:
        assert endpoint.wait_for(1)
        choose(settings, other)
        reload(daemon, manager)
        site.wait_until_drained()
        assert daemon.stop() == 0

    assert bodies(endpoint) == {event: 1}
    assert other.requests == []


def test_a_stop_ends_the_wait_of_a_reload(site: Site, manager: Manager, endpoint: Endpoint) -> None:
    """A request that is never answered holds up no stop for longer than it ever does."""
    endpoint.answer = lambda _: Answer(delay=3600.0)
    site.record(lines(range(1)))
    with site.daemon() as daemon:
        assert endpoint.wait_for(1)
        daemon.send(signal.SIGHUP)
        manager.hear_until("RELOADING")
        assert daemon.stop(seconds=20.0) == 0

    assert site.heartbeat()["activity"] == "stopped"
    assert site.place.lines() == lines(range(1))


@pytest.mark.parametrize("when", ["sending", "waiting"])
def test_wrong_new_settings_change_nothing(
    site: Site, settings: Path, manager: Manager, endpoint: Endpoint, when: str
) -> None:
    """One line in the log names file and key; the daemon is ready again and goes on."""
    if when == "waiting":
        endpoint.answer = lambda _: Answer(503, {"Retry-After": "2"})
    site.record(lines(range(1)))
    with site.daemon() as daemon:
        site.wait_until("waiting" if when == "waiting" else "idle")
        settings.write_text("concurrency = 0\n")
        reload(daemon, manager)
        endpoint.answer = lambda _: CREATED
        site.record(lines(range(1, 3)))
        site.wait_until_drained()
        assert daemon.stop() == 0

    complaints = [said for said in daemon.stderr.splitlines() if str(settings) in said]
    wrong = f"{settings}: concurrency = 0: must be a whole number from 1 to 64"
    assert complaints == [f"ERROR the settings stay as they were: {wrong}"]
    assert bodies(endpoint) == dict.fromkeys(lines(range(3)), 1)


def test_a_reload_ends_a_backoff(
    site: Site, settings: Path, manager: Manager, endpoint: Endpoint, other: Endpoint
) -> None:
    """Whoever has mended the endpoint's address is not kept waiting for a quarter of an hour."""
    del site.environ["FLWR_TELEMETRY_ENDPOINT"]
    choose(settings, endpoint)
    endpoint.answer = lambda _: Answer(404)
    site.record(lines(range(3)))
    with site.daemon() as daemon:
        site.wait_until("held")
        choose(settings, other)
        reload(daemon, manager)
        assert other.wait_for(3, accepted=True)
        assert daemon.stop() == 0


def test_one_that_stands_by_reloads_too(
    site: Site, settings: Path, manager: Manager, endpoint: Endpoint, other: Endpoint
) -> None:
    """And still stands by, ready, until it takes over with the new settings."""
    del site.environ["FLWR_TELEMETRY_ENDPOINT"]
    choose(settings, endpoint)
    with site.daemon() as first:
        manager.hear_until("READY")
        with site.daemon() as second:
            manager.hear_until("STATUS", "standing by")
            choose(settings, other)
            assert "standing by" in reload(second, manager)["STATUS"]
            first.kill()
            site.record(lines(range(2)))
            assert other.wait_for(2, accepted=True)
            assert second.stop() == 0

    assert endpoint.requests == []


def test_another_spool_is_taken_up(
    site: Site, settings: Path, manager: Manager, endpoint: Endpoint, tmp_path: Path
) -> None:
    """The old one is let go, for another uploader."""
    elsewhere = tmp_path / "elsewhere"
    with site.daemon() as daemon:
        site.wait_until("idle")
        settings.write_text(f'spool_dir = "{elsewhere}"\n')
        reload(daemon, manager)
        (elsewhere / "20260310T120000Z-0123456789abcdef.jsonl").write_bytes(
            lines(range(1))[0] + b"\n"
        )
        assert endpoint.wait_for(1, accepted=True)

        site.record(lines(range(1, 2)))
        settings.unlink()
        assert site.uploader("once").code == 0
        assert daemon.stop() == 0

    assert bodies(endpoint) == dict.fromkeys(lines(range(2)), 1)


def test_many_reloads_leave_nothing_behind(
    site: Site, manager: Manager, endpoint: Endpoint
) -> None:
    """No thread and no descriptor of an engine that is done."""
    with site.daemon() as daemon:
        manager.hear_until("READY")
        for number in range(6):
            site.record(lines(range(number, number + 1)))
            assert endpoint.wait_for(number + 1, accepted=True)
            site.wait_until_drained()
            reload(daemon, manager)
        poll(lambda: threads(daemon) <= 6, "an end of the lanes of old engines")
        assert descriptors(daemon) < 25
        assert daemon.stop() == 0


def threads(daemon: Running) -> int:
    """Return how many threads a process has; one where that cannot be known."""
    tasks = Path(f"/proc/{daemon.pid}/task")
    return len(list(tasks.iterdir())) if tasks.exists() else 1


def descriptors(daemon: Running) -> int:
    """Return how many files a process has open; none where that cannot be known."""
    files = Path(f"/proc/{daemon.pid}/fd")
    return len(list(files.iterdir())) if files.exists() else 0
