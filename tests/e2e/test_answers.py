"""Answers that do not accept: what a person sees, and that no event is lost by them."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.e2e.conftest import Site, bodies, lines
from tests.support.endpoint import Answer, Endpoint


@dataclass(frozen=True, slots=True)
class Case:
    """An answer, and what a person is told about it."""

    answer: Answer
    activity: str
    reason: str
    remedy: str


CHECK = "check the setting `endpoint` (telemetry-uploader check)"
PORTAL = Case(
    Answer(200, {"Content-Type": "text/html"}, b"<html>Please log in</html>"),
    "waiting",
    "HTTP 200 with a page instead of JSON: something between here and the endpoint answers, "
    "perhaps a login page",
    f"log in to the network's page in a browser, or {CHECK}",
)
NO_CREDENTIALS = Case(
    Answer(401),
    "held",
    "HTTP 401",
    "the endpoint wants other credentials than this uploader has: check the settings "
    "`authorization` and `endpoint` (telemetry-uploader check)",
)
MOVED = Case(
    Answer(302, {"Location": "https://new.example.org/"}),
    "held",
    "HTTP 302: the endpoint has moved to https://new.example.org/",
    CHECK,
)
CASES = pytest.mark.parametrize(
    "case", [PORTAL, NO_CREDENTIALS, MOVED], ids=["captive portal", "401", "redirect"]
)


@CASES
def test_status_says_why_nothing_is_sent(site: Site, endpoint: Endpoint, case: Case) -> None:
    """While the daemon waits, with the remedy where there is one; every event is kept."""
    events = lines(range(3))
    site.record(events)
    endpoint.answer = lambda _: case.answer
    with site.daemon():
        site.wait_until(case.activity)
        status = site.uploader("status")

    shown = {row[:10].strip(): row[11:] for row in status.stdout.splitlines()}
    assert status.code == 0
    assert shown["uploader"].startswith(f"{case.activity}: {case.reason} (pid ")
    assert shown["pending"].startswith("3 events")
    assert shown.get("advice", "") == case.remedy
    assert site.place.lines() == events


@CASES
def test_once_says_why_nothing_was_sent(site: Site, endpoint: Endpoint, case: Case) -> None:
    """In one line, with exit code 75; every event is kept and can be sent afterwards."""
    events = lines(range(3))
    site.record(events)
    endpoint.answer = lambda _: case.answer

    ended = site.uploader("once", "--wait", "0")

    why = "; ".join(filter(None, (case.reason, case.remedy)))
    assert ended.code == 75
    assert ended.stderr == f"telemetry-uploader: 3 events kept for later: {why}\n"
    assert site.place.lines() == events
    endpoint.answer = lambda _: Answer()
    endpoint.accepted.clear()  # 2xx of a login page accepts nothing
    assert site.uploader("once").code == 0
    assert bodies(endpoint) == dict.fromkeys(events, 1)


def test_a_redirect_is_not_followed(site: Site, endpoint: Endpoint) -> None:
    """Nothing goes to an address that nobody has set."""
    site.record(lines(range(1)))
    with Endpoint() as elsewhere:
        endpoint.answer = lambda _: Answer(307, {"Location": elsewhere.url})
        assert site.uploader("once", "--wait", "0").code == 75

        assert elsewhere.requests == []


def test_an_event_that_the_endpoint_refuses_is_set_aside(site: Site, endpoint: Endpoint) -> None:
    """With the status and the first KiB of the answer; the others are delivered."""
    events = lines(range(5))
    refused = events[2]
    site.record(events)
    refusal = Answer(400, {"Content-Type": "text/plain"}, b"no such type. " + b"x" * 5000)
    endpoint.answer = lambda request: refusal if request.body == refused else Answer()

    assert site.uploader("once").code == 0

    assert bodies(endpoint) == dict.fromkeys([*events[:2], *events[3:]], 1)
    (letter,) = site.rejected()
    assert (letter["status"], letter["reason"]) == (
        400,
        "HTTP 400: the endpoint says the event is malformed",
    )
    assert letter["response"] == refusal.body[:1024].decode()
    assert letter["event"]["event_details"]["number"] == 2
    assert site.place.names() == ["uploader.lock"]
