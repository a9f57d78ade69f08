"""Every kind of HTTP answer, and what it leaves in the directories and in `status.json`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from tests.faults.network_peer import CREATED, Connection, Peer, accepting, answer, answering
from tests.faults.network_rows import Left, Row, fault, plain, with_both
from tests.faults.network_runs import Ahead, verify
from tests.faults.network_uploader import Stage
from tests.faults.table import survives_each

KEPT = "the events stay in the spool; the endpoint is tried again"
HELD = "the events stay in the spool; the status names the remedy"
SET_ASIDE = "the events go to the dead letters with the status"
SENT = "the events are accepted"

PAGE = b"<!DOCTYPE html><html><body>Please log in</body></html>"
CHECK = "check the setting `endpoint`"
CHECK_CREDENTIALS = "check the settings `authorization` and `endpoint`"

# Seconds, with room for a machine that is slow to write its status.
NEAR_THE_CAP = (300, 900)
AT_THE_CAP = (600, 900)
A_SHORT_ONE = (0, 64)


def kept(what: str, data: bytes, reason: str) -> Row:
    """Return the row of an answer after which the endpoint is tried again."""
    return Row(fault(what, KEPT), plain(answering(data)), Left.KEPT, "waiting", reason)


def held(status: int, what: str, data: bytes, remedy: str = CHECK) -> Row:
    """Return the row of an answer that only a person can do something about."""
    staging = plain(answering(data))
    return Row(
        fault(what, HELD), staging, Left.KEPT, "held", f"HTTP {status}", remedy, waits=NEAR_THE_CAP
    )


def rejected(status: int, what: str) -> Row:
    """Return the row of an answer that is about the event itself."""
    script = answering(answer(status, b'{"error": "no"}'))
    return Row(fault(what, SET_ASIDE), plain(script), Left.REJECTED, status=status)


def sent(what: str, data: bytes) -> Row:
    """Return the row of an answer that means yes."""

    def script(connection: Connection) -> None:
        while received := connection.read():
            connection.accept(received, data)

    return Row(fault(what, SENT), plain(script), Left.SENT, accepted_once=True)


def asking_for_time(what: str, value: str, waits: tuple[float, float]) -> Row:
    """Return the row of a 429 with this `Retry-After`, and the seconds that it makes wait."""
    data = answer(429, b"", f"Retry-After: {value}")
    row = fault(f"429, Retry-After {what}", KEPT)
    return Row(row, plain(answering(data)), reason="HTTP 429", waits=waits)


def html(status: int) -> bytes:
    """Return an answer with a page for people."""
    return answer(status, PAGE, content_type="text/html; charset=utf-8")


@contextmanager
def redirected(_: Path) -> Iterator[Stage]:
    """Stage an endpoint that names another one, which would take the events."""
    with Peer(accepting) as other:
        script = answering(answer(302, b"", f"Location: {other.url}"))
        with Peer(script) as peer:
            yield Stage(peer.url, peer=other)


AN_HOUR = timedelta(hours=1)
NOW = datetime.now(tz=UTC)

ROWS = [
    sent("201 with JSON", answer(201)),
    sent("200 with JSON but no Content-Type", answer(200, CREATED, content_type="")),
    sent("204 without a body", b"HTTP/1.1 204 No Content\r\n\r\n"),
    sent("200 with an empty body", answer(200, b"")),
    kept("a captive portal: 200 with HTML", html(200), "perhaps a login page"),
    kept("a captive portal: 200 with text", answer(200, b"OK", content_type="text/plain"), "page"),
    kept("a captive portal: 403 with HTML", html(403), "perhaps a login page"),
    kept("a captive portal: 511", html(511), "HTTP 511: something between here and the endpoint"),
    Row(
        fault("302 to an endpoint that would take the events", HELD),
        redirected,
        activity="held",
        reason="HTTP 302: the endpoint has moved to http://127.0.0.1:",
        remedy=CHECK,
        waits=NEAR_THE_CAP,
    ),
    held(301, "301 without Location", answer(301, b"")),
    held(304, "304", b"HTTP/1.1 304 Not Modified\r\n\r\n"),
    rejected(400, "400"),
    held(401, "401", answer(401, b"{}", 'WWW-Authenticate: Basic realm="x"'), CHECK_CREDENTIALS),
    held(403, "403 with JSON", answer(403, b'{"error": "forbidden"}'), CHECK_CREDENTIALS),
    held(404, "404", html(404)),
    held(405, "405", answer(405, b"")),
    held(407, "407 from the endpoint", answer(407, b""), "HTTPS_PROXY=http://USER:PASSWORD@"),
    kept("408", answer(408, b""), "HTTP 408"),
    rejected(409, "a 4xx without a meaning of its own"),
    rejected(413, "413"),
    rejected(415, "415"),
    rejected(422, "422"),
    kept("425", answer(425, b""), "HTTP 425"),
    kept("429", answer(429, b""), "HTTP 429"),
    asking_for_time("in seconds", "120", (60, 120)),
    asking_for_time("as a date", format_datetime(NOW + AN_HOUR, usegmt=True), AT_THE_CAP),
    asking_for_time("in the past", format_datetime(NOW - AN_HOUR, usegmt=True), (0, 1)),
    asking_for_time("of a year", str(365 * 24 * 3600), AT_THE_CAP),
    asking_for_time("of garbage", "soon, \xff perhaps; -1e999", A_SHORT_ONE),
    kept("500", answer(500, b'{"status": "created"}'), "HTTP 500"),
    kept("501", answer(501, b""), "HTTP 501"),
    kept("502 with HTML", html(502), "HTTP 502"),
    kept("503 with Retry-After", answer(503, b"", "Retry-After: 60"), "HTTP 503"),
    kept("504", html(504), "HTTP 504"),
    kept("507", answer(507, b""), "HTTP 507"),
    kept("a status that does not exist", answer(999, b""), "HTTP 999"),
]

CASES = with_both(ROWS)


@survives_each(row.fault for row in ROWS)
@pytest.mark.parametrize("row", CASES, ids=[case.name for case in CASES])
def test_an_answer_leaves_what_it_must(row: Row, ahead: Ahead) -> None:
    """Directories, status and exit codes are as the row says, of the daemon and of `once`."""
    verify(row, ahead.seen(row))
