"""`telemetry-uploader doctor`: one polite question to the endpoint, and what is wrong."""

from __future__ import annotations

import json

import pytest

from telemetry_spool.consent import Mode, choose
from telemetry_spool.paths import mode_file
from tests.conftest import Place
from tests.e2e.conftest import Site, lines
from tests.support.endpoint import Answer, Endpoint
from tests.support.network import unused_port
from uploader import outcome
from uploader.diagnosis import endpoint as judged
from uploader.outcome import Failure, Trouble


def test_the_endpoint_is_asked_once_and_given_nothing(place: Place) -> None:
    """No event leaves, though there are some."""
    with Endpoint() as endpoint:
        site = Site(place, endpoint.url)
        site.record(lines(range(3)))

        ended = site.uploader("doctor", "--json")

        (request,) = endpoint.requests
    assert (ended.code, ended.stderr) == (0, "")
    assert (request.method, request.body, request.headers["Idempotency-Key"]) == (
        "OPTIONS",
        b"",
        None,
    )
    checks = {check["name"]: check for check in json.loads(ended.stdout)}
    assert checks["name"]["finding"] == "127.0.0.1 is 127.0.0.1"
    assert checks["endpoint"]["ok"]
    assert len(site.place.lines()) == 3


@pytest.mark.parametrize("transport", ["requests", "pycurl"])
def test_an_endpoint_that_wants_credentials_gets_them(
    place: Place, endpoint: Endpoint, transport: str
) -> None:
    """As with every event; and nobody else gets to see them."""
    endpoint.answer = lambda request: Answer(
        200 if request.headers["Authorization"] == "Bearer horse" else 401
    )
    site = Site(place, endpoint.url, authorization="Bearer horse", transport=transport)

    ended = site.uploader("doctor")

    assert (ended.code, len(endpoint.requests)) == (0, 1)
    assert "horse" not in ended.stdout + ended.stderr


@pytest.mark.parametrize("mode", [Mode.LOCAL, Mode.OFF], ids=["local", "off"])
def test_without_consent_nobody_is_asked(place: Place, mode: Mode) -> None:
    """Not even the name is looked up."""
    path = mode_file()
    assert path is not None
    choose(path, mode)
    with Endpoint() as endpoint:
        ended = Site(place, endpoint.url).uploader("doctor")

        assert endpoint.requests == []
    assert ended.code == 0
    assert f"not tried: in mode {mode.value} nothing is sent" in ended.stdout
    assert " name " not in ended.stdout


def test_an_endpoint_that_is_not_there_is_named(place: Place) -> None:
    """With a remedy, and 1."""
    ended = Site(place, f"http://127.0.0.1:{unused_port()}/").uploader("doctor")

    assert ended.code == 1
    bad, remedy = ended.stdout.splitlines()[-2:]
    assert "Connection refused" in bad
    assert "check the connection of this machine" in remedy


HTML = {"Content-Type": "text/html"}


@pytest.mark.parametrize(
    ("answer", "ok"),
    [
        (Answer(), True),
        (Answer(204, body=b""), True),
        (Answer(400), True),
        (Answer(404), True),
        (Answer(405), True),
        (Answer(200, HTML, b"<html>log in</html>"), False),
        (Answer(302), False),
        (Answer(401), False),
        (Answer(407), False),
        (Answer(503), False),
        (Answer(511, HTML, b"<html>"), False),
    ],
    ids=lambda value: str(value.status) if isinstance(value, Answer) else "",
)
def test_an_answer_of_its_own_shows_that_it_is_there(answer: Answer, ok: bool) -> None:
    """An endpoint that takes nothing but POST is fine; a login page is not."""
    content_type = answer.headers["Content-Type"]
    check = judged(outcome.Answer(answer.status, content_type, None, None, answer.body))

    assert check.ok is ok


@pytest.mark.parametrize("trouble", Trouble, ids=str)
def test_every_failure_has_a_remedy(trouble: Trouble) -> None:
    """With the library's words for it."""
    check = judged(Failure(trouble, "it did not work"))

    assert (check.ok, check.finding) == (False, "it did not work")
