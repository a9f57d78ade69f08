"""An endpoint that goes away and comes back: the daemon waits, fills no directory, and recovers."""

from __future__ import annotations

from tests.e2e.conftest import Site, bodies, line, lines
from tests.support.endpoint import Answer, Endpoint

A_HANDFUL = 4
"""Segments that are sealed during an outage: each attempt needs one, and none needs another."""


def test_delivery_resumes_by_itself_after_each_outage(site: Site, endpoint: Endpoint) -> None:
    """Twice away, twice back: nobody has to do anything, and nothing comes twice."""
    recorded = lines(range(5))
    site.record(recorded)
    with site.daemon() as daemon:
        site.wait_until_drained()
        for outage in (1, 2):
            endpoint.stop()
            during = lines(range(outage * 100, outage * 100 + 5))
            site.record(during)
            recorded += during
            site.wait_until("waiting")
            assert site.place.lines() == during

            endpoint.start()
            site.wait_until_drained()
            site.wait_until("idle")
        assert daemon.stop() == 0

    assert bodies(endpoint) == dict.fromkeys(recorded, 1)
    assert "the endpoint takes events again" in daemon.stderr


def test_an_outage_does_not_multiply_files(site: Site, endpoint: Endpoint) -> None:
    """Whatever is recorded between the attempts stays in a few files: a month is no heap."""
    endpoint.answer = lambda _: Answer(503)
    recorded = [line(0)]
    site.record(recorded)
    with site.daemon() as daemon:
        for attempt in range(1, 7):
            assert endpoint.wait_for(attempt)
            site.record([line(attempt)])
            recorded.append(line(attempt))
        assert len(site.place.sealed()) <= A_HANDFUL
        assert site.place.active().exists()

        endpoint.answer = lambda _: Answer()
        site.wait_until_drained()
        assert daemon.stop() == 0

    assert bodies(endpoint) == dict.fromkeys(recorded, 1)


def test_one_request_at_a_time_probes_an_endpoint_that_is_down(
    site: Site, endpoint: Endpoint
) -> None:
    """Not one retry for each event: after the first round there is a probe, then a wait."""
    endpoint.answer = lambda _: Answer(503, {"Retry-After": "600"})
    site.record(lines(range(50)))
    with site.daemon() as daemon:
        site.wait_until("waiting")
        assert daemon.stop() == 0

    assert len(endpoint.requests) <= 4
    assert len(site.place.lines()) == 50
