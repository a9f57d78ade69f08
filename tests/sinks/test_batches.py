"""A batch is what docs/sinks.md says it is."""

from __future__ import annotations

from typing import Any

from tests.conftest import Place
from tests.sinks.batches import HARD_TO_CARRY
from tests.sinks.logprep import ADDRESS, RECIPE
from tests.sinks.page import recipe
from tests.sinks.visitor import Visitor
from tests.support.endpoint import Endpoint


def test_a_receiver_can_derive_the_ids_and_the_key(place: Place) -> None:
    """With the Python of the page, of the body as it came."""
    with Endpoint() as endpoint:
        visitor = Visitor(place, RECIPE, ADDRESS, endpoint.url)
        assert visitor.upload(*HARD_TO_CARRY, compression="none").code == 0
        (request,) = endpoint.accepted

    known: dict[str, Any] = {"body": request.body}
    exec(recipe("What is sent").block("python"), known)
    assert {key.hex() for key in known["ids"]} == set(visitor.receipts)
    assert known["idempotency_key"] == request.headers["Idempotency-Key"]


def test_a_batch_has_the_headers_that_the_page_shows(place: Place) -> None:
    """And its body is the lines, each with its newline."""
    with Endpoint() as endpoint:
        visitor = Visitor(place, RECIPE, ADDRESS, endpoint.url)
        assert visitor.upload(*HARD_TO_CARRY, compression="none", authorization="A b").code == 0
        (request,) = endpoint.accepted

    assert request.headers["Content-Type"] == "application/x-ndjson"
    assert request.headers["Authorization"] == "A b"
    assert request.body == b"".join(line + b"\n" for line in HARD_TO_CARRY)
