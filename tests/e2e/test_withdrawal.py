"""Consent that changes while the daemon runs: it is asked again before every request."""

from __future__ import annotations

import threading

import pytest

from telemetry_spool.consent import Mode, choose
from telemetry_spool.paths import Kind, kind_of, mode_file
from tests.e2e.conftest import Site, bodies, lines
from tests.support.endpoint import CREATED, Answer, Endpoint, Request

EVENTS = lines(range(20))


class Held:
    """Answers requests one by one, each when it is released."""

    def __init__(self) -> None:
        self._released = threading.Semaphore(0)

    def answer(self, _: Request) -> Answer:
        """Wait for a release, then accept."""
        self._released.acquire()
        return CREATED

    def release(self, count: int = 1) -> None:
        """Let this many requests be answered."""
        self._released.release(count)


def decide(mode: Mode) -> None:
    """Write the mode file, as `telemetry-spool on|local|off` does."""
    path = mode_file()
    assert path is not None
    choose(path, mode)


@pytest.mark.parametrize("mode", [Mode.OFF, Mode.LOCAL], ids=["off", "local"])
def test_no_request_follows_a_no(site: Site, endpoint: Endpoint, mode: Mode) -> None:
    """The request under way ends, nothing more is sent; after a yes the rest is."""
    held = Held()
    endpoint.answer = held.answer
    site.record(EVENTS)
    site.set(concurrency=1)
    with site.daemon() as daemon:
        held.release(2)
        assert endpoint.wait_for(3)

        decide(mode)
        threading.Event().wait(0.05)  # one look is for the requests of a millisecond
        held.release(len(EVENTS))
        assert endpoint.wait_for(3, accepted=True)
        site.wait_until("paused")
        assert len(endpoint.requests) == 3
        assert len(site.place.lines()) == len(EVENTS)
        assert site.heartbeat()["reason"].startswith(f"mode {mode.value}: chosen with")

        decide(Mode.ON)
        site.wait_until_drained()
        assert daemon.stop() == 0

    assert bodies(endpoint) == dict.fromkeys(EVENTS, 1)


def test_what_was_recorded_in_local_stays_here(site: Site, endpoint: Endpoint) -> None:
    """A later yes is for what is recorded later: neither a full segment goes nor a new one."""
    private, public = EVENTS[:15], EVENTS[15:]
    decide(Mode.LOCAL)
    with site.daemon() as daemon:
        small = site.place.open(max_segment_bytes=4096)
        for event in private:
            small.append(event, local=True)
        site.record(private[:1], local=True)
        site.wait_until("paused")
        decide(Mode.ON)
        site.record(public)
        assert endpoint.wait_for(len(public), accepted=True)
        site.wait_until("idle")
        assert daemon.stop() == 0

    assert site.uploader("once").code == 0
    assert bodies(endpoint) == dict.fromkeys(public, 1)
    assert sorted(site.place.lines()) == sorted([*private, private[0]])
    kinds = {kind_of(name) for name in site.place.names() if name != "uploader.lock"}
    assert kinds == {Kind.ACTIVE_LOCAL, Kind.SEALED_LOCAL}


@pytest.mark.parametrize(
    ("variable", "value"),
    [("FLWR_TELEMETRY_ENABLED", "0"), ("FLWR_TELEMETRY_ENABLED", "true"), ("DO_NOT_TRACK", "1")],
)
def test_the_environment_of_the_uploader_can_forbid_sending(
    site: Site, endpoint: Endpoint, variable: str, value: str
) -> None:
    """Whatever the mode file says."""
    decide(Mode.ON)
    site.record(EVENTS)
    site.environ[variable] = value
    with site.daemon() as daemon:
        site.wait_until("paused")
        assert variable in site.heartbeat()["reason"]
        assert daemon.stop() == 0

    assert endpoint.requests == []
    assert site.place.lines() == EVENTS


def test_without_consent_no_directory_is_made(site: Site, endpoint: Endpoint) -> None:
    """A job that runs for everybody leaves no trace where somebody said no."""
    decide(Mode.OFF)

    assert site.uploader("once").code == 0

    assert not site.place.root.exists()
    assert endpoint.requests == []
