"""Outcomes as a table: what came back decides what becomes of the event."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from uploader.outcome import (
    BODY_BYTES,
    Answer,
    Failure,
    Outcome,
    Trouble,
    Verdict,
    judge,
)

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
JSON = "application/json"
HTML = "text/html; charset=utf-8"
CREATED = b'{"status": "created"}'
PAGE = b"<!DOCTYPE html><title>Welcome to the airport</title>"


def judged(
    status: int,
    body: bytes = b"",
    content_type: str = "",
    *,
    location: str | None = None,
    retry_after: str | None = None,
    cut: bool = False,
) -> Outcome:
    """Judge an answer made of these parts."""
    answer = Answer(status, content_type, retry_after, location, body, cut)
    return judge(answer, NOW)


@pytest.mark.parametrize(
    ("status", "body", "content_type", "expected"),
    [
        pytest.param(200, CREATED, JSON, Verdict.ACCEPTED, id="200 JSON"),
        pytest.param(201, CREATED, JSON, Verdict.ACCEPTED, id="201 JSON, Flower's own answer"),
        pytest.param(202, b"null", JSON, Verdict.ACCEPTED, id="202 JSON null"),
        pytest.param(200, b"\n {} \r\n", JSON, Verdict.ACCEPTED, id="200 JSON with white space"),
        pytest.param(201, CREATED, "", Verdict.ACCEPTED, id="201 JSON without a content type"),
        pytest.param(201, CREATED, "text/plain", Verdict.ACCEPTED, id="201 JSON as text"),
        pytest.param(200, b"", "", Verdict.ACCEPTED, id="200 empty"),
        pytest.param(200, b"", HTML, Verdict.ACCEPTED, id="200 empty called HTML"),
        pytest.param(200, b" \r\n", "", Verdict.ACCEPTED, id="200 blank"),
        pytest.param(204, b"", "", Verdict.ACCEPTED, id="204"),
        pytest.param(200, PAGE, HTML, Verdict.RETRY, id="200 HTML"),
        pytest.param(200, PAGE, "", Verdict.RETRY, id="200 HTML without a content type"),
        pytest.param(200, PAGE, JSON, Verdict.RETRY, id="200 HTML called JSON"),
        pytest.param(200, b"\n  " + PAGE, "", Verdict.RETRY, id="200 HTML after white space"),
        pytest.param(200, b"1", "TEXT/HTML", Verdict.RETRY, id="200 JSON called HTML"),
        pytest.param(200, b"Please log in", "text/plain", Verdict.RETRY, id="200 text"),
        pytest.param(200, b"\xff\xfe\x00", JSON, Verdict.RETRY, id="200 no text at all"),
        pytest.param(200, b"[" * 60_000, JSON, Verdict.RETRY, id="200 nested beyond parsing"),
        pytest.param(299, PAGE, HTML, Verdict.RETRY, id="299 HTML"),
        pytest.param(301, PAGE, HTML, Verdict.HOLD, id="301"),
        pytest.param(302, b"", "", Verdict.HOLD, id="302"),
        pytest.param(303, b"", "", Verdict.HOLD, id="303"),
        pytest.param(304, b"", "", Verdict.HOLD, id="304"),
        pytest.param(307, b"", "", Verdict.HOLD, id="307"),
        pytest.param(308, b"", "", Verdict.HOLD, id="308"),
        pytest.param(400, b"no", "", Verdict.REJECTED, id="400"),
        pytest.param(401, b"", "", Verdict.HOLD, id="401"),
        pytest.param(402, b"", "", Verdict.REJECTED, id="402"),
        pytest.param(403, b'{"error": 1}', JSON, Verdict.HOLD, id="403 JSON"),
        pytest.param(403, b"", "", Verdict.HOLD, id="403 empty"),
        pytest.param(403, PAGE, HTML, Verdict.RETRY, id="403 HTML"),
        pytest.param(404, b"", "", Verdict.HOLD, id="404"),
        pytest.param(404, PAGE, HTML, Verdict.HOLD, id="404 HTML"),
        pytest.param(405, b"", "", Verdict.HOLD, id="405"),
        pytest.param(407, PAGE, HTML, Verdict.HOLD, id="407 HTML"),
        pytest.param(408, b"", "", Verdict.RETRY, id="408"),
        pytest.param(409, b"", "", Verdict.REJECTED, id="409"),
        pytest.param(413, b"", "", Verdict.REJECTED, id="413"),
        pytest.param(415, b"", "", Verdict.REJECTED, id="415"),
        pytest.param(418, b"", "", Verdict.REJECTED, id="418"),
        pytest.param(422, b"", "", Verdict.REJECTED, id="422"),
        pytest.param(425, b"", "", Verdict.RETRY, id="425"),
        pytest.param(429, b"", "", Verdict.RETRY, id="429"),
        pytest.param(499, b"", "", Verdict.REJECTED, id="499"),
        pytest.param(500, b"", "", Verdict.RETRY, id="500"),
        pytest.param(502, PAGE, HTML, Verdict.RETRY, id="502 HTML"),
        pytest.param(503, b"", "", Verdict.RETRY, id="503"),
        pytest.param(504, b"", "", Verdict.RETRY, id="504"),
        pytest.param(507, b"", "", Verdict.RETRY, id="507"),
        pytest.param(511, PAGE, HTML, Verdict.RETRY, id="511, a captive portal that says so"),
        pytest.param(599, b"", "", Verdict.RETRY, id="599"),
        pytest.param(999, b"", "", Verdict.RETRY, id="999"),
    ],
)
def test_an_answer_has_one_verdict(
    status: int, body: bytes, content_type: str, expected: Verdict
) -> None:
    """Only the endpoint itself can accept or reject; whatever else answers costs no event."""
    assert judged(status, body, content_type).verdict is expected


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [(JSON, Verdict.ACCEPTED), ("application/problem+json", Verdict.ACCEPTED), ("", Verdict.RETRY)],
)
def test_json_that_was_cut_is_believed_by_its_content_type(
    content_type: str, expected: Verdict
) -> None:
    """Of a long answer only the beginning is read, which is no JSON on its own."""
    outcome = judged(201, b'{"echo": "' + b"x" * BODY_BYTES, content_type, cut=True)

    assert outcome.verdict is expected


@pytest.mark.parametrize(
    ("trouble", "expected"),
    [
        (Trouble.NETWORK, Verdict.RETRY),
        (Trouble.TLS, Verdict.HOLD),
        (Trouble.PROXY_CREDENTIALS, Verdict.HOLD),
        (Trouble.CONFIGURATION, Verdict.HOLD),
    ],
)
def test_a_failure_has_one_verdict(trouble: Trouble, expected: Verdict) -> None:
    """The network heals by itself; certificates, credentials and settings do not."""
    outcome = judge(Failure(trouble, "in the library's words"), NOW)

    assert outcome.verdict is expected
    assert outcome.reason == "in the library's words"
    assert outcome.status is None


@pytest.mark.parametrize("status", [301, 302, 304, 401, 403, 404, 405, 407])
def test_a_held_answer_comes_with_a_remedy(status: int) -> None:
    """Only a person can mend it, so the person must be told how."""
    assert "check the setting" in judged(status).remedy or "HTTPS_PROXY" in judged(status).remedy


@pytest.mark.parametrize("trouble", [Trouble.TLS, Trouble.PROXY_CREDENTIALS, Trouble.CONFIGURATION])
def test_a_held_failure_comes_with_a_remedy(trouble: Trouble) -> None:
    """The same for what fails before there is an answer."""
    assert judge(Failure(trouble, ""), NOW).remedy != ""


@pytest.mark.parametrize("status", [200, 403, 511])
def test_a_login_page_is_called_one(status: int) -> None:
    """Somebody in a hotel understands at once why nothing is sent, and what to do."""
    outcome = judged(status, PAGE, HTML)

    assert "login page" in outcome.reason
    assert outcome.remedy.startswith("log in to the network's page in a browser, or check")


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_what_heals_by_itself_needs_no_remedy(status: int) -> None:
    """Nobody is sent to mend what is the endpoint's own trouble."""
    assert judged(status, PAGE, HTML).remedy == ""


def test_a_redirect_names_its_target() -> None:
    """The address to put into the settings is in front of the person who reads the status."""
    outcome = judged(308, location="https://new.example.org/api/v1/event")

    assert outcome.reason == (
        "HTTP 308: the endpoint has moved to https://new.example.org/api/v1/event"
    )


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        pytest.param("https://a\x1b[2Jb", "https://a\ufffd[2Jb", id="escape sequence"),
        pytest.param("https://a\r\n b", "https://a\ufffd\ufffd b", id="folded header"),
        pytest.param("https://a\u202eb", "https://a\ufffdb", id="right to left"),
        pytest.param("x" * 300, "x" * 200 + "…", id="endless"),
    ],
)
def test_a_redirect_cannot_steer_the_terminal(location: str, shown: str) -> None:
    """Anybody between here and the endpoint can write that header, and people read it."""
    assert judged(302, location=location).reason == f"HTTP 302: the endpoint has moved to {shown}"


def test_a_failure_cannot_steer_the_terminal() -> None:
    """A library's words may quote what came over the network."""
    failure = Failure(Trouble.NETWORK, "BadStatusLine: \x1b]0;title\x07\nsecond line")

    assert judge(failure, NOW).reason == "BadStatusLine: \ufffd]0;title\ufffd\ufffdsecond line"


def test_the_first_kib_of_the_answer_is_kept() -> None:
    """A dead letter has enough of the answer to understand it, whatever bytes those are."""
    assert judged(400, b"\xff" + b"x" * 5000).response == "\ufffd" + "x" * 1023


@pytest.mark.parametrize(
    ("status", "header", "expected"),
    [
        pytest.param(429, "7", 7.0, id="429 seconds"),
        pytest.param(503, "Tue, 10 Mar 2026 12:01:00 GMT", 60.0, id="503 date"),
        pytest.param(503, None, None, id="503 without"),
        pytest.param(429, "soon", None, id="429 garbage"),
        pytest.param(400, "7", None, id="400 does not wait"),
        pytest.param(401, "7", None, id="401 waits by the backoff"),
        pytest.param(201, "7", None, id="201 does not wait"),
    ],
)
def test_only_a_retry_heeds_retry_after(
    status: int, header: str | None, expected: float | None
) -> None:
    """An answer that is final has no reason to slow the others down."""
    assert judged(status, retry_after=header).retry_after == expected
