"""Ten thousand events through a restart in the middle: all of them arrive."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import Place
from tests.e2e.conftest import Collected, Site, collecting, ids, lines
from tests.support.processes import poll

EVENTS = 10_000
MIDDLE = 2_000
"""When this many have arrived the daemon is stopped."""

# What can be under way when a daemon dies: the events of one save interval. That is a matter of
# speed; that most events are not sent twice is not.
MOST = EVENTS // 2


def wait_for_the_middle(collected: Collected) -> None:
    """Wait until enough has arrived for the rest to be the larger part."""
    poll(lambda: collected.count() >= MIDDLE, f"{MIDDLE} events in the collector")


def test_a_stop_in_the_middle_neither_loses_nor_repeats_an_event(
    place: Place, tmp_path: Path
) -> None:
    """SIGTERM, then a new start: each event is delivered once and has one receipt."""
    events = lines(range(EVENTS))
    with collecting(tmp_path / "events.db") as (url, collected):
        site = Site(place, url)
        site.record(events)

        with site.daemon() as daemon:
            wait_for_the_middle(collected)
            assert daemon.stop() == 0
        assert MIDDLE <= collected.count() < EVENTS
        assert site.heartbeat()["activity"] == "stopped"
        assert site.heartbeat()["accepted"] == collected.count()
        assert sum(site.receipts().values()) == collected.count()

        with site.daemon() as daemon:
            site.wait_until_drained()
            assert daemon.stop() == 0

        assert collected.deliveries() == dict.fromkeys(events, 1)
        assert collected.keys() == ids(events)
        assert site.receipts() == ids(events)
        assert site.rejected() == []
        assert place.names() == ["uploader.lock"]


def test_a_crash_in_the_middle_loses_no_event(place: Place, tmp_path: Path) -> None:
    """SIGKILL, then a new start: each event is stored once; some came twice, under their key."""
    events = lines(range(EVENTS))
    with collecting(tmp_path / "events.db") as (url, collected):
        site = Site(place, url)
        site.record(events)

        with site.daemon() as daemon:
            wait_for_the_middle(collected)
            daemon.kill()
        assert MIDDLE <= collected.count() < EVENTS

        with site.daemon() as daemon:
            site.wait_until_drained()
            assert daemon.stop() == 0

        deliveries = collected.deliveries()
        assert set(deliveries) == set(events)
        assert collected.keys() == ids(events)
        assert set(deliveries.values()) <= {1, 2}
        assert sum(count - 1 for count in deliveries.values()) < MOST
        assert set(site.receipts()) == set(ids(events))
        assert place.names() == ["uploader.lock"]
