"""A spooled line is what Flower would have sent, byte for byte."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.flower.conftest import NewHome
from tests.flower.programs.emit import DETAILS
from tests.flower.versions import EVERY, Version, name_of
from tests.support.endpoint import Endpoint, Request

PARTNER = "6f9619ff-8b86-d011-b42d-00c04fc964ff"


@dataclass(frozen=True, slots=True)
class Payloads:
    """The same events of the same program: as Flower posted them, and as they were spooled."""

    flowers: list[bytes]
    spooled: list[bytes]
    posted: list[Request]
    uploaded: list[Request]


@pytest.fixture(scope="module", params=EVERY, ids=name_of)
def payloads(request: pytest.FixtureRequest, new_home: NewHome) -> Payloads:
    """Run the program in one home with the spool, then without it, then upload."""
    version: Version = request.param
    home = new_home(version.environment)
    with Endpoint() as flowers, Endpoint() as ours:
        for spool in ("1", "0"):
            variables = {"FLWR_TELEMETRY_SPOOL": spool, "FLWR_TELEMETRY_PARTNER_ID": PARTNER}
            arguments = (version.module, str(len(DETAILS)), flowers.url)
            home.start_program("emit.py", *arguments, variables=variables).succeed()
        spooled = home.place.lines()
        assert home.upload(ours).exit_code == 0
        return Payloads(
            [posted.body for posted in flowers.requests], spooled, flowers.requests, ours.requests
        )


def without_date_and_cluster(line: bytes) -> dict[str, Any]:
    """Return the payload without the two fields that differ from one process to the next."""
    payload: dict[str, Any] = json.loads(line)
    del payload["context"]["date"], payload["context"]["cluster"]
    return payload


def blanked(line: bytes) -> str:
    """Return the text of the payload with blanks where date and cluster are."""
    context = json.loads(line)["context"]
    return line.decode().replace(context["date"], "DATE").replace(context["cluster"], "CLUSTER")


def test_every_field_but_date_and_cluster_is_flowers_own(payloads: Payloads) -> None:
    """The first event and those with a reused context have the fields that Flower sends."""
    flowers = [without_date_and_cluster(line) for line in payloads.flowers]
    spooled = [without_date_and_cluster(line) for line in payloads.spooled]

    assert len(flowers) == len(DETAILS)
    assert spooled == flowers
    assert [payload["event_details"] for payload in spooled] == [
        details or {} for details in DETAILS
    ]


def test_the_text_is_what_flower_serialises(payloads: Payloads) -> None:
    """Order of keys, spaces and escapes are the same too."""
    flowers = [blanked(line) for line in payloads.flowers]

    assert [blanked(line) for line in payloads.spooled] == flowers


def test_the_events_of_a_process_share_a_cluster_and_have_a_date_each(payloads: Payloads) -> None:
    """What is not compared is still of the same kind as Flower's."""
    contexts = [json.loads(line)["context"] for line in payloads.spooled]
    dates = [datetime.fromisoformat(context["date"]) for context in contexts]

    assert len({context["cluster"] for context in contexts}) == 1
    assert dates == sorted(set(dates))
    assert {date.utcoffset() for date in dates} == {timedelta(0)}


def test_the_uploader_sends_what_flower_would_have_sent(payloads: Payloads) -> None:
    """Path, body, content type and user agent of the upload are those of Flower's own request."""
    assert sorted(request.body for request in payloads.uploaded) == sorted(payloads.spooled)
    for name in ("User-Agent", "Content-Type"):
        flowers = {request.headers[name] for request in payloads.posted}
        assert {request.headers[name] for request in payloads.uploaded} == flowers
    assert {(request.method, request.path) for request in payloads.uploaded} == {
        (request.method, request.path) for request in payloads.posted
    }
