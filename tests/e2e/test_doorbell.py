"""The doorbell: a new event reaches a running daemon without a rescan."""

from __future__ import annotations

import pytest

from tests.e2e.conftest import Site, bodies, lines
from tests.support.endpoint import Endpoint

ONE_EVENT = lines(range(1))
ANOTHER = lines(range(1, 2))


@pytest.fixture
def quiet_site(site: Site) -> Site:
    """Return a site whose daemon looks by itself once an hour."""
    site.set(rescan_interval=3600)
    return site


def test_a_new_event_is_sent_at_once(quiet_site: Site, endpoint: Endpoint) -> None:
    """Into a directory that was empty, and again into one in which a segment was sent before."""
    with quiet_site.daemon() as daemon:
        quiet_site.wait_until("idle")
        quiet_site.record(ONE_EVENT)
        assert endpoint.wait_for(1, accepted=True)
        quiet_site.wait_until_drained()

        quiet_site.record(ANOTHER)
        assert endpoint.wait_for(2, accepted=True)
        assert daemon.stop() == 0

    assert bodies(endpoint) == dict.fromkeys(ONE_EVENT + ANOTHER, 1)


def test_a_segment_that_is_moved_in_is_sent_at_once(quiet_site: Site, endpoint: Endpoint) -> None:
    """A writer without the lock, and an import, rename a finished segment into the spool."""
    with quiet_site.daemon() as daemon:
        quiet_site.wait_until("idle")
        outside = quiet_site.place.root / "moved"
        outside.write_bytes(ONE_EVENT[0] + b"\n")
        outside.rename(quiet_site.place.spool / "20260310T120000Z-0123456789abcdef.jsonl")

        assert endpoint.wait_for(1, accepted=True)
        assert daemon.stop() == 0

    assert bodies(endpoint) == dict.fromkeys(ONE_EVENT, 1)


def test_an_event_recorded_while_another_is_sent_is_not_forgotten(
    quiet_site: Site, endpoint: Endpoint
) -> None:
    """The bell rings in the middle of the work; it is heard afterwards."""
    endpoint.latency = 0.3
    quiet_site.record(ONE_EVENT)
    with quiet_site.daemon() as daemon:
        assert endpoint.wait_for(1)
        quiet_site.record(ANOTHER)

        assert endpoint.wait_for(2, accepted=True)
        assert daemon.stop() == 0

    assert bodies(endpoint) == dict.fromkeys(ONE_EVENT + ANOTHER, 1)
