"""Faults of TCP and HTTP framing: what breaks off, never comes, never ends or makes no sense."""

from __future__ import annotations

import gzip
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import repeat
from pathlib import Path

import pytest

from tests.conftest import Place
from tests.faults.network_peer import (
    CREATED,
    PATH,
    Connection,
    Peer,
    Script,
    accepting,
    answer,
    answering,
    silent,
)
from tests.faults.network_rows import EVENTS, IN_A_HURRY, Left, Row, event, fault, plain, with_both
from tests.faults.network_runs import Ahead, verify
from tests.faults.network_uploader import Stage, Uploader, over, over_each_transport
from tests.faults.table import survives_each

KEPT = "the events stay in the spool; the endpoint is tried again"
HELD = "the events stay in the spool; the status names the remedy"
IN_TIME = "the request ends after the read timeout; the events stay in the spool"
STATUS_COUNTS = "the status has come, so the events are accepted"
ONCE = "every event is accepted exactly once"
SET_ASIDE = "the events go to the dead letters with the status"
BOUNDED = "only its beginning is read; the status counts"

MIB = 2**20

# Longer than the time for an answer lets through, however slow the drip is made.
LONG = b"x" * 10_000


@contextmanager
def nobody(_: Path) -> Iterator[Stage]:
    """Stage an endpoint's port that is taken and that nobody listens on."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield Stage(f"http://127.0.0.1:{bound.getsockname()[1]}{PATH}")


def reset_before_the_body(connection: Connection) -> None:
    """Hang up when the head of the request has come."""
    connection.read_head()
    connection.reset()


def reset_after_the_body(connection: Connection) -> None:
    """Hang up when all of the request has come."""
    connection.read()
    connection.reset()


def close_without_an_answer(connection: Connection) -> None:
    """End the connection in order, but without a word."""
    connection.read()


def half_closed_at_once(connection: Connection) -> None:
    """Take the connection, say that nothing will be said, and go on listening."""
    connection.end_of_sending()
    connection.wait_for_the_client()


def half_closed_after_the_answer(connection: Connection) -> None:
    """Accept an event, say that this was all, and go on listening."""
    received = connection.read()
    if received:
        connection.accept(received)
        connection.end_of_sending()
        connection.wait_for_the_client()


def deaf(connection: Connection) -> None:
    """Take the connection and do nothing at all."""
    connection.wait_for_the_client()


def dripping(at_once: bytes, slowly: bytes) -> Script:
    """Return a script that sends the beginning of an answer at once and the rest by the byte."""

    def script(connection: Connection) -> None:
        connection.read()
        connection.send(at_once)
        connection.drip(slowly)

    return script


def again_and_again(at_once: bytes, piece: bytes, seconds: float = 0.0) -> Script:
    """Return a script whose answers never end, by `piece`."""

    def script(connection: Connection) -> None:
        connection.read()
        connection.send(at_once)
        for data in repeat(piece):
            connection.send(data)
            if connection.peer.stopping.wait(seconds):
                return

    return script


def early_refusal(connection: Connection) -> None:
    """Say 413 when the head has come, and read no further."""
    connection.read_head()
    connection.send(answer(413, b"", "Connection: close"))
    connection.end_of_sending()
    connection.wait_for_the_client()


def refusing_and_breaking_off(status: int) -> Script:
    """Return a script that refuses, and hangs up before it has given all of its reasons."""

    def script(connection: Connection) -> None:
        connection.read()
        connection.send(answer(status, b"x" * 1000)[:-500])

    return script


def accepted_with(data: bytes) -> Script:
    """Return a script that accepts every event with this answer."""

    def script(connection: Connection) -> None:
        while received := connection.read():
            connection.accept(received, data)

    return script


def closing_after_each(connection: Connection) -> None:
    """Accept one event a connection and hang up, without having said so."""
    received = connection.read()
    if received:
        connection.accept(received)


def accepted_in_http_1_0(connection: Connection) -> None:
    """Accept one event with an answer that ends where the connection does."""
    received = connection.read()
    if received:
        connection.accept(received, b"HTTP/1.0 200 OK\r\n\r\n" + CREATED)


def resetting_the_second(connection: Connection) -> None:
    """Accept one event a connection, and break it when the next one begins."""
    closing_after_each(connection)
    connection.read_head()
    connection.reset()


def dropping_the_second(connection: Connection) -> None:
    """Accept one event a connection, read the next one, and hang up without having taken it."""
    closing_after_each(connection)
    connection.read()
    connection.reset()


def answering_twice(connection: Connection) -> None:
    """Answer the first request twice, then hang up on the second without having taken it."""
    received = connection.read()
    if received:
        connection.accept(received, answer(201) * 2)
    connection.read()
    connection.reset()


def head(*headers: str) -> bytes:
    """Return the head of an answer that accepts, with these headers."""
    return "\r\n".join(["HTTP/1.1 201 Created", *headers, "", ""]).encode()


CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
JSON = "Content-Type: application/json"
CHUNKED = "Transfer-Encoding: chunked"
CHUNKS = head(JSON, CHUNKED) + b"".join(b"1\r\n%c\r\n" % byte for byte in CREATED)


def broken(what: str, script: Script, reason: str = "") -> Row:
    """Return the row of what is over at once."""
    return Row(fault(what, KEPT), plain(script), reason=reason)


def malformed(what: str, data: bytes, reason: str = "") -> Row:
    """Return the row of an answer that makes no sense, after which the peer hangs up."""

    def script(connection: Connection) -> None:
        connection.read()
        connection.send(data)

    return broken(what, script, reason)


def slow(what: str, script: Script) -> Row:
    """Return the row of what would last for ever."""
    return Row(fault(what, IN_TIME), plain(script), reason="timed out", environ=IN_A_HURRY)


def slow_but_clear(what: str, script: Script) -> Row:
    """Return the row of an answer that would last for ever, but whose status has come."""
    return Row(fault(what, STATUS_COUNTS), plain(script), Left.SENT, environ=IN_A_HURRY)


def taken(what: str, script: Script) -> Row:
    """Return the row of an endpoint that takes every event once."""
    lines = [event(number) for number in range(6)]
    one_lane = {"FLWR_TELEMETRY_CONCURRENCY": "1"}
    return Row(
        fault(what, ONCE),
        plain(script),
        Left.SENT,
        environ=one_lane,
        events=lines,
        accepted_once=True,
    )


ROWS = [
    Row(fault("the connection is refused", KEPT), nobody, reason="Connection refused"),
    broken("a reset before the body was read", reset_before_the_body),
    broken("a reset after the body was read", reset_after_the_body),
    broken("the peer hangs up without an answer", close_without_an_answer, "RemoteDisconnected"),
    broken("half-closed before the answer", half_closed_at_once, "RemoteDisconnected"),
    slow("accepted, then silence", deaf),
    slow("the request is read, then silence", silent),
    slow("one byte a second, in the status line", dripping(b"HTTP/1.1 201 ", LONG)),
    slow("one byte a second, in the headers", dripping(b"HTTP/1.1 201 Created\r\nX: ", LONG)),
    slow("100 Continue without end", again_and_again(b"", CONTINUE, 0.05)),
    Row(
        fault("one byte a second, in a page", IN_TIME),
        plain(dripping(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<", LONG)),
        reason="perhaps a login page",
        environ=IN_A_HURRY,
    ),
    slow_but_clear(
        "one byte a second, in a JSON body", dripping(head(JSON, "Content-Length: 10000"), LONG)
    ),
    slow_but_clear(
        "one byte a second, in the size of a chunk", dripping(head(JSON, CHUNKED), b"0" * 10_000)
    ),
    slow_but_clear(
        "one byte a second, in the trailers", dripping(CHUNKS + b"0\r\n", b"X: y\r\n" * 2000)
    ),
    broken("headers without end", again_and_again(b"HTTP/1.1 201 Created\r\n", b"X: y\r\n")),
    broken("a header line without end", again_and_again(b"HTTP/1.1 201 Created\r\nX: ", LONG)),
    malformed("an answer that is no HTTP", b"\x16\x03\x01 220 mail.example ESMTP\r\n\r\n"),
    malformed("a status that is no number", b"HTTP/1.1 2OO Created\r\n\r\n" + CREATED),
    malformed("NUL bytes for an answer", bytes(1000)),
    malformed("two lengths for one body", head(JSON, "Content-Length: 21, 22") + CREATED),
    malformed("a chunk size that is no number", head(JSON, CHUNKED) + b"many\r\n{}\r\n"),
    malformed("a body that breaks off", head(JSON, "Content-Length: 21") + b'{"status"'),
    malformed("a body that never begins", head(JSON, "Content-Length: 21")),
    malformed("chunks that break off", CHUNKS),
    Row(
        fault("413 before the body was read", SET_ASIDE),
        plain(early_refusal),
        Left.REJECTED,
        status=413,
        events=[event(number, "x" * 60_000) for number in range(2)],
    ),
    Row(
        fault("413, and the answer breaks off", SET_ASIDE),
        plain(refusing_and_breaking_off(413)),
        Left.REJECTED,
        status=413,
    ),
    Row(
        fault("401, and the answer breaks off", HELD),
        plain(refusing_and_breaking_off(401)),
        activity="held",
        reason="HTTP 401",
        remedy="check the settings `authorization` and `endpoint`",
    ),
    taken("100 Continue before the answer", accepted_with(CONTINUE + answer(201))),
    taken("an answer in chunks", accepted_with(CHUNKS + b"0\r\n\r\n")),
    taken("an answer as old as HTTP/1.0", accepted_in_http_1_0),
    taken("half-closed after the answer", half_closed_after_the_answer),
    taken("keep-alive: the peer hangs up after the answer", closing_after_each),
    taken("keep-alive: the peer resets when the next request begins", resetting_the_second),
    taken("keep-alive: the peer reads the next request and hangs up", dropping_the_second),
    taken("two answers to one request", answering_twice),
    taken(
        "gzip, though the request asked for none",
        accepted_with(answer(201, gzip.compress(CREATED), "Content-Encoding: gzip")),
    ),
]

CASES = with_both(ROWS)


@survives_each(row.fault for row in ROWS)
@pytest.mark.parametrize("row", CASES, ids=[case.name for case in CASES])
def test_a_fault_of_the_wire_leaves_what_it_must(row: Row, ahead: Ahead) -> None:
    """Directories, status and exit codes are as the row says, of the daemon and of `once`."""
    verify(row, ahead.seen(row))


def peak_memory(place: Place, script: Script, transport: str) -> int:
    """Return the most memory that an uploader takes to have its events accepted by this script."""
    spool = place.open()
    for line in EVENTS:
        spool.append(line)
    with (
        Peer(script) as peer,
        Uploader(place, Stage(peer.url), over(transport)).running() as daemon,
    ):
        status = daemon.wait_until(lambda status: status.get("accepted") == len(EVENTS))
        assert status["accepted"] == len(EVENTS), daemon.log.read_text("utf-8")
        return daemon.peak_memory()


def endless_body(connection: Connection) -> None:
    """Send more than the uploader may ever have, and no more than the machine can bear."""
    connection.read()
    connection.send(head(JSON))
    for piece in repeat(b" " * MIB, 256):
        connection.send(piece)


BOMB = answer(201, gzip.compress(bytes(256 * MIB), 1), "Content-Encoding: gzip")

LARGE = {
    "an answer larger than memory": endless_body,
    "a gzip bomb": answering(BOMB),
}


@survives_each(fault(what, BOUNDED) for what in LARGE)
@pytest.mark.parametrize("what", LARGE)
@over_each_transport
def test_a_large_answer_takes_no_memory(what: str, transport: str, tmp_path: Path) -> None:
    """The uploader needs no more for it than for a healthy endpoint's answers."""
    healthy = peak_memory(Place(tmp_path / "healthy" / "telemetry"), accepting, transport)

    peak = peak_memory(Place(tmp_path / "large" / "telemetry"), LARGE[what], transport)

    assert peak < healthy + 32 * MIB
