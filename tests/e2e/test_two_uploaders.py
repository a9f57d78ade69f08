"""Two uploaders on one spool: one sends, the other stands by and takes over."""

from __future__ import annotations

from tests.e2e.conftest import Site, bodies, lines
from tests.support.endpoint import Endpoint
from tests.support.processes import Running, poll


def wait_until_said(daemon: Running, words: str) -> None:
    """Wait until a daemon has said this."""
    poll(lambda: words in daemon.stderr, f"the words {words!r}")


def test_the_second_stands_by_and_takes_over_from_a_dead_first(
    site: Site, endpoint: Endpoint
) -> None:
    """Each event is delivered once, by the one or the other."""
    first_events, second_events = lines(range(10)), lines(range(10, 20))
    with site.daemon() as first:
        site.wait_until("idle")
        with site.daemon() as second:
            wait_until_said(second, f"uploader {first.pid}")
            assert "standing by" in second.stderr
            site.record(first_events)
            site.wait_until_drained()
            assert site.heartbeat()["pid"] == first.pid

            first.kill()
            site.record(second_events)
            site.wait_until_drained()
            poll(lambda: site.heartbeat()["pid"] == second.pid, "the second one's heartbeat")
            assert second.stop() == 0

    assert bodies(endpoint) == dict.fromkeys(first_events + second_events, 1)
    assert first.stderr.count("standing by") == 0
    assert second.stderr.count("standing by") == 1


def test_one_that_stands_by_can_be_stopped(site: Site) -> None:
    """And says nothing of the spool, which is the other one's."""
    site.set(rescan_interval=3600)
    with site.daemon() as first:
        site.wait_until("idle")
        with site.daemon() as second:
            wait_until_said(second, "standing by")
            assert second.stop() == 0
        assert site.heartbeat()["activity"] == "idle"
        assert site.heartbeat()["pid"] == first.pid


def test_the_lock_says_who_has_it(site: Site) -> None:
    """For a person who wonders."""
    with site.daemon() as daemon:
        site.wait_until("idle")

        holder = (site.place.spool / "uploader.lock").read_text()

    assert holder.split()[0] == str(daemon.pid)
