"""SIGTERM at any moment: an end within seconds, nothing lost, nothing sent twice."""

from __future__ import annotations

import signal

import pytest

from tests.e2e.conftest import Site, bodies, ids, lines
from tests.support.endpoint import CREATED, Answer, Endpoint, in_turn
from uploader.engine import GRACE_SECONDS

NEVER = Answer(delay=3600.0)

# What a service manager allows at the least; a daemon that hangs is what this finds.
PATIENCE_SECONDS = GRACE_SECONDS + 10.0

STOPPING_SIGNALS = pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])


@STOPPING_SIGNALS
def test_a_stop_while_waiting_for_the_endpoint(
    site: Site, endpoint: Endpoint, number: signal.Signals
) -> None:
    """The wait of ten minutes ends at once, and everything is still there."""
    events = lines(range(5))
    site.record(events)
    endpoint.answer = lambda _: Answer(503, {"Retry-After": "600"})
    with site.daemon() as daemon:
        site.wait_until("waiting")
        daemon.send(number)
        assert daemon.ended(seconds=PATIENCE_SECONDS) == 0

    assert site.heartbeat()["activity"] == "stopped"
    assert site.heartbeat()["next_attempt_at"] is None
    assert site.place.lines() == events


def test_a_stop_while_a_request_is_never_answered(site: Site, endpoint: Endpoint) -> None:
    """It is given up after the grace; what was accepted before is not sent again."""
    events = lines(range(5))
    site.record(events)
    site.set(concurrency=1)
    endpoint.answer = in_turn([CREATED, CREATED, NEVER])
    with site.daemon() as daemon:
        assert endpoint.wait_for(3)
        assert daemon.stop(seconds=PATIENCE_SECONDS) == 0
    assert site.heartbeat()["activity"] == "stopped"
    assert site.heartbeat()["accepted"] == 2
    assert site.receipts() == ids(events[:2])

    assert site.uploader("once").code == 0

    assert bodies(endpoint) == dict.fromkeys(events, 1)
    assert site.receipts() == ids(events)


def test_a_stop_while_others_overtake_a_slow_request(site: Site, endpoint: Endpoint) -> None:
    """The first is never answered, those behind it are accepted: only the first is sent again."""
    events = lines(range(5))
    site.record(events)
    site.set(concurrency=2)
    endpoint.answer = lambda request: NEVER if request.body == events[0] else CREATED
    with site.daemon() as daemon:
        assert endpoint.wait_for(4, accepted=True)
        assert daemon.stop(seconds=PATIENCE_SECONDS) == 0
    endpoint.answer = lambda _: CREATED

    assert site.uploader("once").code == 0

    assert bodies(endpoint) == dict.fromkeys(events, 1)
    assert site.place.names() == ["uploader.lock"]


def test_a_stop_waits_for_the_answer_that_is_under_way(site: Site, endpoint: Endpoint) -> None:
    """A request that is answered within the grace is not sent a second time."""
    (event,) = events = lines(range(1))
    site.record(events)
    endpoint.latency = 1.0
    with site.daemon() as daemon:
        assert endpoint.wait_for(1)
        assert daemon.stop(seconds=PATIENCE_SECONDS) == 0
    assert site.receipts() == ids(events)

    assert site.uploader("once").code == 0

    assert [request.body for request in endpoint.requests] == [event]


def test_a_stop_while_nothing_is_to_do(site: Site) -> None:
    """The watcher and the wait for the rescan end at once, too."""
    site.set(rescan_interval=3600)
    with site.daemon() as daemon:
        site.wait_until("idle")
        assert daemon.stop(seconds=PATIENCE_SECONDS) == 0

    assert site.heartbeat()["activity"] == "stopped"
