"""An endpoint that refuses batches, or events in them: what is set aside, and what is kept."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.conftest import Place
from tests.support.endpoint import Answer, Endpoint, Request
from uploader import config
from uploader.once import Ending, Result, drain


def seal(place: Place, number: int, *kinds: str) -> None:
    """Put a sealed segment with an event of each type into the spool; they sort by number."""
    place.spool.mkdir(parents=True, exist_ok=True)
    lines = b"".join(json.dumps({"event_type": kind}).encode() + b"\n" for kind in kinds)
    (place.spool / f"20260101T000000Z-{number:016x}.jsonl").write_bytes(lines)


def once(place: Place, endpoint: Endpoint, **settings: Any) -> Result:
    """Drain the spool in batches, without waiting for the endpoint."""
    flags = {"endpoint": endpoint.url, "sink": "ndjson"} | settings
    return drain(config.load(flags, place.environ), 0.0, lambda _: None)


def refuse_bad_ones(request: Request) -> Answer:
    """Refuse every batch with a BAD event in it."""
    return Answer(400) if b'"BAD"' in request.body else Answer()


@pytest.mark.parametrize("concurrency", [1, 4])
def test_a_bad_event_before_all_others_holds_up_none_of_them(
    place: Place, concurrency: int
) -> None:
    """What the endpoint says to the others shows whose fault it is."""
    seal(place, 1, "BAD")
    seal(place, 2, "GOOD", "FINE")
    with Endpoint(refuse_bad_ones) as endpoint:
        result = once(place, endpoint, concurrency=concurrency)

    assert (result.ending, result.rejected) == (Ending.DRAINED, 1)
    assert [request.body.count(b"\n") for request in endpoint.accepted] == [2]


def test_an_endpoint_that_takes_no_batches_costs_no_event(place: Place) -> None:
    """All of them are still there, and the operator is told what may be wrong."""
    seal(place, 1, *(["GOOD"] * 3))
    with Endpoint(lambda _: Answer(400)) as endpoint:
        result = once(place, endpoint, concurrency=1)

    assert (result.ending, result.rejected) == (Ending.KEPT, 0)
    assert "`sink`" in result.reason
    assert endpoint.accepted == []
    assert list(place.spool.glob("*.jsonl"))
