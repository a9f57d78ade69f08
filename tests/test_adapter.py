"""How requests go out: in one piece, the way that the environment says now."""

from __future__ import annotations

import socket
import threading

import pytest

from tests.support.endpoint import Endpoint
from tests.support.network import RawServer, read_request, says, to, unused_port
from uploader import transport as module
from uploader.outcome import Answer
from uploader.transport import RequestsTransport

pytestmark = pytest.mark.usefixtures("plain_network")

CREATED = b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"


def test_headers_and_body_are_sent_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """One packet instead of two, for the endpoint and for the network."""
    sent: list[bytes] = []
    really = socket.socket.sendall

    def sendall(connection: socket.socket, data: bytes) -> None:
        sent.append(data)
        really(connection, data)

    with RawServer(says(CREATED)) as server:
        sender = RequestsTransport(to(f"http://127.0.0.1:{server.port}/"))
        monkeypatch.setattr(socket.socket, "sendall", sendall, raising=False)
        result = sender.send(b'{"a": 1}', {"X": "y"})
        monkeypatch.undo()

    (request, answer) = sent
    assert request.startswith(b"POST / HTTP/1.1\r\n")
    assert request.endswith(b'\r\n\r\n{"a": 1}')
    assert (answer, result) == (CREATED, Answer(201))


def test_a_batch_is_sent_in_parts_that_have_the_timeout_each(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slow line must not have to take a MiB in the time that a connection has."""
    sent: list[int] = []
    really = socket.socket.sendall

    def sendall(connection: socket.socket, data: bytes) -> None:
        sent.append(len(data))
        really(connection, data)

    sender = RequestsTransport(to(endpoint.url))
    monkeypatch.setattr(socket.socket, "sendall", sendall, raising=False)
    sender.send(b"x" * 2**20, {"X": "y"})
    monkeypatch.undo()

    assert max(sent) <= 128 * 2**10
    assert [request.body for request in endpoint.requests] == [b"x" * 2**20]


def test_an_answer_may_take_longer_than_a_connection() -> None:
    """The endpoint is near, and busy."""
    done = threading.Event()

    def talk(connection: socket.socket) -> None:
        for _ in range(2):
            read_request(connection)
            done.wait(0.4)
            connection.sendall(CREATED)

    with RawServer(talk) as server:
        sender = RequestsTransport(to(f"http://127.0.0.1:{server.port}/", connect_timeout=0.2))
        results = [sender.send(b"{}", {}) for _ in range(2)]

    assert results == [Answer(201)] * 2


@pytest.mark.parametrize("size", [0, 1, 2**16, 2**16 + 1, 2**20])
def test_a_body_of_any_size_arrives(size: int) -> None:
    """Each byte of it, once."""
    received: list[bytes] = []

    def talk(connection: socket.socket) -> None:
        received.append(read_request(connection))
        connection.sendall(CREATED)

    body = (b"0123456789abcdef" * (size // 16 + 1))[:size]
    with RawServer(talk) as server:
        result = RequestsTransport(to(f"http://127.0.0.1:{server.port}/")).send(body, {})

    assert result == Answer(201)
    assert received[0].partition(b"\r\n\r\n")[2] == body


@pytest.mark.parametrize("header", ["a\r\nEvil: 1", "a\nEvil: 1", "\u20ac"])
def test_a_header_that_is_none_is_not_sent(endpoint: Endpoint, header: str) -> None:
    """It would be two headers, or a part of the body."""
    sender = RequestsTransport(to(endpoint.url))

    with pytest.raises(ValueError, match=r"header|latin-1|Latin-1"):
        sender.send(b"{}", {"User-Agent": header})
    assert sender.send(b"{}", {"User-Agent": "a"}) is not None

    assert [request.headers["User-Agent"] for request in endpoint.requests] == ["a"]


def test_proxies_are_looked_for_again_after_a_while(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A laptop changes networks, and the daemon stays."""
    monkeypatch.setattr(module, "_SETTLED_SECONDS", -1.0)
    sender = RequestsTransport(to(f"http://127.0.0.2:{unused_port()}/api"))
    assert not isinstance(sender.send(b"{}", {}), Answer)

    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{endpoint.port}")
    through = sender.send(b"{}", {})
    monkeypatch.delenv("HTTP_PROXY")
    without = sender.send(b"{}", {})

    assert isinstance(through, Answer)
    assert [request.path.partition("/api")[1] for request in endpoint.requests] == ["/api"]
    assert endpoint.requests[0].path.startswith("http://127.0.0.2:")
    assert not isinstance(without, Answer)
