"""Answers as they come from the wire: read as the standard library reads them."""

from __future__ import annotations

import io
import socket
from http.client import HTTPException, HTTPResponse
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.support.network import RawServer, read_request, says, to
from uploader.outcome import BODY_BYTES, Answer, Failure, Trouble
from uploader.reply import Response
from uploader.transport import RequestsTransport


class Wire:
    """A socket from which these bytes come, `piece` at a time."""

    def __init__(self, data: bytes, piece: int = 2**16) -> None:
        self._data = data
        self._piece = piece

    def gettimeout(self) -> None:
        """Wait for ever."""

    def makefile(self, _mode: str, buffering: int = -1) -> Any:
        """Return what is read from: raw, or for the library's response with a buffer."""
        raw = Pieces(self._data, self._piece)
        return raw if buffering == 0 else io.BufferedReader(raw)


class Pieces(io.RawIOBase):
    """A stream that gives `piece` bytes at a time."""

    def __init__(self, data: bytes, piece: int) -> None:
        self._data = io.BytesIO(data)
        self._piece = piece

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read a piece."""
        with memoryview(buffer) as view:
            return self._data.readinto(view[: self._piece])


def understood(response: HTTPResponse) -> object:
    """Return what a response is understood as, or the kind of its error."""
    try:
        response.begin()
        fields = response.fields if isinstance(response, Response) else response.headers
        names = ("Content-Type", "Content-Encoding", "Retry-After", "Location")
        values = [(fields.get(name.lower()) or "").replace("\r\n", "") for name in names]
        values = [value.strip(" \t") for value in values]
        framing = (response.length, response.chunked, response.will_close, response.version)
        body = response.read() if response.length is None or response.length < 10_000 else b""
        return (response.status, response.reason, *framing, *values, body)
    except HTTPException as error:
        return type(error)


NAMES = [
    "Content-Length",
    "content-length",
    "Transfer-Encoding",
    "Connection",
    "Keep-Alive",
    "Content-Type",
    "Content-Encoding",
    "Retry-After",
    "Location",
    "Date",
    "X y",
    "",
]
VALUES = [
    "0",
    "2",
    " 2 ",
    "+2",
    "-2",
    "2_0",
    "²",
    "9" * 20,
    "chunked",
    "Chunked",
    "close",
    "Keep-Alive",
    "upgrade; close",
    "text/html; charset=x",
    "a: b",
    "\t",
    "\xe9",
    "\x00",
    "\x0b",
    "\x85",
]
ENDS = ["\r\n", "\r\n", "\r\n", "\r\n", "\n", "\r", "\r\n ", ""]
STARTS = [
    "HTTP/1.1 201 Created\r\n",
    "HTTP/1.1 200 \r\n",
    "HTTP/1.1 200\r\n",
    "HTTP/1.1  200 OK\r\n",
    "HTTP/1.1 204 No Content\r\n",
    "HTTP/1.1 304 Not Modified\r\n",
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 503 Busy\r\n",
    "HTTP/1.1 99 Low\r\n",
    "HTTP/1.1 2011 High\r\n",
    "HTTP/1.0 200 OK\r\n",
    "HTTP/2 200 OK\r\n",
    "HTTP/1.1 200 OK\n",
    "ICY 200 OK\r\n",
]
lines = st.builds(
    lambda name, colon, value, end: f"{name}{colon}{value}{end}",
    st.sampled_from(NAMES),
    st.sampled_from([": ", ":", ":\t ", " : ", " "]),
    st.sampled_from(VALUES),
    st.sampled_from(ENDS),
)
plain_lines = st.sampled_from(
    ["Content-Type: text/html\r\n", "Date: x\r\n", "location:/x\r\n", "X-Id: a:b\r\n"]
)
lengths = st.sampled_from(["Content-Length: 2\r\n", "content-length:0 \r\n"])
anything = st.builds(
    lambda start, some: (start + "".join(some) + "\r\n").encode("latin-1", "replace"),
    st.sampled_from(STARTS),
    st.lists(st.one_of(plain_lines, lengths, lines), max_size=6),
)
# With one odd line at the most: what is odd all over is never near to being taken for plain.
nearly_plain = st.builds(
    lambda length, some, odd: ("".join([STARTS[0], length, *some, *odd, "\r\n"])).encode("latin-1"),
    lengths,
    st.lists(plain_lines, max_size=4, unique=True),
    st.lists(lines, max_size=1),
)
heads = st.one_of(anything, nearly_plain, nearly_plain)


MANY_HEADERS = (
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"
    + b"".join(b"X-%d: y\r\n" % number for number in range(120))
    + b"\r\n"
)


@settings(max_examples=200, deadline=None)
@given(heads, st.sampled_from([2**16, 2**16, 40, 1]))
@example(b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n", 2**16)
@example(b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n", 2**16)
@example(b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\nConnection: close\r\n\r\n", 2**16)
@example(b"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n", 2**16)
@example(b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\nX: y\nConnection: close\r\n\r\n", 2**16)
@example(MANY_HEADERS, 2**16)
def test_an_answer_means_what_it_means_to_the_standard_library(head: bytes, piece: int) -> None:
    """Status, framing, the four headers and the body: however it is written, and however broken."""
    data = head + b"{}{}"
    once: Any = Wire(data, piece)
    again: Any = Wire(data, piece)
    expected = understood(HTTPResponse(again, method="POST"))
    # The library takes the first of a header's values; we take all or, of lengths, none.
    names = [line.partition(b":")[0].lower() for line in head.splitlines()]
    if len(set(names)) < len(names):
        return

    assert understood(Response(once, method="POST")) == expected


def answers(*written: bytes) -> list[Answer | Failure]:
    """Return what comes of a request for each of these answers, all over one transport."""

    def talk(connection: socket.socket) -> None:
        while read_request(connection):
            connection.sendall(remaining.pop(0))

    remaining = list(written)
    with RawServer(talk) as server:
        transport = RequestsTransport(to(f"http://127.0.0.1:{server.port}/", direct=True))
        return [transport.send(b"{}", {}) for _ in written]


BUSY = Answer(503, "text/plain", "7", "/x", b"later")


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(
            b"HTTP/1.1 503 Busy\r\nContent-Length: 5\r\nContent-Type: text/plain\r\n"
            b"Retry-After: 7\r\nLocation: /x\r\nConnection: keep-alive\r\n",
            id="plain",
        ),
        pytest.param(
            b"HTTP/1.1 503 Busy\r\nCONTENT-LENGTH:5\r\nCONTENT-TYPE:text/plain\r\n"
            b"RETRY-AFTER:7\r\nLOCATION:/x\r\n",
            id="upper case",
        ),
        pytest.param(
            b"HTTP/1.1 503 Busy\r\ncontent-length:  5  \r\ncontent-type:\ttext/plain\r\n"
            b"retry-after: 7\r\nlocation: /x\r\nset-cookie: a=1\r\nset-cookie: b=2\r\n",
            id="spaces and cookies",
        ),
        pytest.param(
            b"HTTP/1.0 503 Busy\r\nContent-Type: text/plain\r\nRetry-After: 7\r\n"
            b"Location: /x\r\nKeep-Alive: timeout=5\r\nContent-Length: 5\r\n",
            id="HTTP/1.0",
        ),
        pytest.param(
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 503 Busy\nContent-Length: 5\n"
            b"Content-Type: text/plain\nRetry-After: 7\nLocation: /x\n",
            id="line feeds",
        ),
        pytest.param(
            b"HTTP/1.1 503 Busy\r\nContent-Length: 5\r\nContent-Length: 5\r\n"
            b"Content-Type: text/plain\r\nRetry-After: 7\r\nLocation: /x\r\n",
            id="the same length twice",
        ),
    ],
)
def test_an_answer_is_understood_however_it_is_written(head: bytes) -> None:
    """And the next one after it, over the same connection."""
    answer = head + b"\r\n" + b"later"

    assert answers(answer, answer) == [BUSY, BUSY]


def test_a_folded_header_is_one_line() -> None:
    """As it was allowed once."""
    (answer,) = answers(
        b"HTTP/1.1 302 Found\r\nLocation: /a\r\n b\r\nContent-Length: 0\r\n\r\n",
    )

    assert answer == Answer(302, location="/a b")


def test_two_values_of_a_header_are_one_list() -> None:
    """None of them is lost: neither of two encodings is to be taken for none."""
    (answer,) = answers(
        b"HTTP/1.1 200 OK\r\nContent-Encoding: identity\r\nContent-Encoding: gzip\r\n"
        b"Content-Length: 2\r\n\r\n{}",
    )

    assert isinstance(answer, Answer)
    assert answer.cut


@pytest.mark.parametrize("second", [b"Content-Length: 3\r\n", b"CONTENT-LENGTH:3\r\n"])
def test_an_answer_with_two_lengths_is_the_network(second: bytes) -> None:
    """Nobody knows where the next one would begin."""
    (failure,) = answers(
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n" + second + b"\r\n{}",
    )

    assert isinstance(failure, Failure)
    assert failure.trouble is Trouble.NETWORK


def test_what_comes_after_an_answer_is_no_answer() -> None:
    """It was sent before the next request: that one has an answer of its own."""
    results = answers(
        b"HTTP/1.1 500 Oops\r\nContent-Length: 2\r\n\r\nnoHTTP/1.1 201 Created\r\n"
        b"Content-Length: 0\r\n\r\n",
        b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
    )

    assert results == [Answer(500, body=b"no"), Answer(400)]


def test_a_body_that_is_not_read_whole_ends_the_connection() -> None:
    """What is still to come would be taken for the beginning of the next answer."""

    def talk(connection: socket.socket) -> None:
        while read_request(connection):
            connection.sendall(b"HTTP/1.1 500 Oops\r\nContent-Length: 99999\r\n\r\n")
            connection.sendall(b"x" * (BODY_BYTES + 1))

    with RawServer(talk) as server:
        transport = RequestsTransport(to(f"http://127.0.0.1:{server.port}/", direct=True))
        results = [transport.send(b"{}", {}) for _ in range(2)]

        assert results == [Answer(500, body=b"x" * BODY_BYTES, cut=True)] * 2
        assert server.connections == 2


def test_a_plain_answer_is_not_parsed_as_mail(monkeypatch: pytest.MonkeyPatch) -> None:
    """That alone would cost as much as all the rest of a request."""
    monkeypatch.setattr("http.client.parse_headers", None)
    head = b"HTTP/1.1 201 Created\r\nDate: Thu, 05 Nov 2026 10:00:00 GMT\r\nServer: a/1 (b)\r\n"
    plain = head + b"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"

    assert answers(plain) == [Answer(201, "application/json", body=b"{}")]


@pytest.mark.parametrize(
    ("status", "trouble"), [(b"200 OK", Trouble.NETWORK), (b"413 Too Large", None)]
)
def test_a_body_that_breaks_off_counts_by_its_status(status: bytes, trouble: object) -> None:
    """Who refuses a request may hang up before it is read; who accepts it has no reason to."""
    with RawServer(says(b"HTTP/1.1 " + status + b"\r\nContent-Length: 10\r\n\r\nshort")) as server:
        url = f"http://127.0.0.1:{server.port}/"
        result = RequestsTransport(to(url, direct=True)).send(b"{}", {})

    if trouble is None:
        assert result == Answer(413, body=b"short", cut=True)
    else:
        assert isinstance(result, Failure)
        assert result.trouble is trouble
