"""The collector over HTTP: each event is stored once, and what is no event is refused."""

from __future__ import annotations

import hashlib
import http.client
import json
import socket
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from uploader.collector import EVENT_PATH, HEALTH_PATH, Collector, Store

BODY = b'{"event_type": "RUN"}'
CREATED = (201, {"status": "created"})


@contextmanager
def collector(database: Path) -> Iterator[Collector]:
    """Run a collector with this database."""
    store = Store(database)
    server = Collector("127.0.0.1", 0, store)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        store.close()


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Collector]:
    """Return a collector that runs."""
    with collector(tmp_path / "events.db") as server:
        yield server


@pytest.fixture
def client(running: Collector) -> Iterator[http.client.HTTPConnection]:
    """Return a connection to the collector that runs."""
    with closing(connect(running)) as connection:
        yield connection


def connect(server: Collector) -> http.client.HTTPConnection:
    """Return a connection to a collector."""
    return http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=20)


def post(
    client: http.client.HTTPConnection,
    body: bytes = BODY,
    *,
    key: str | None = None,
    path: str = EVENT_PATH,
    agent: str | None = None,
) -> tuple[int, object]:
    """Post an event and return status and content of the answer."""
    headers = {"Idempotency-Key": key, "User-Agent": agent}
    given = {name: value for name, value in headers.items() if value is not None}
    client.request("POST", path, body, given)
    return answer(client)


def answer(client: http.client.HTTPConnection) -> tuple[int, object]:
    """Return status and content of the answer to the last request."""
    response = client.getresponse()
    assert response.headers["Content-Type"] == "application/json"
    return response.status, json.loads(response.read())


def rows(directory: Path) -> list[tuple[str, bytes, str, int]]:
    """Return what is in the database: key, body, user agent, deliveries."""
    query = "SELECT key, body, user_agent, deliveries FROM events ORDER BY rowid"
    with closing(sqlite3.connect(directory / "events.db")) as database:
        return list(database.execute(query))


def test_an_event_is_stored_as_it_came(client: http.client.HTTPConnection, tmp_path: Path) -> None:
    """The exact bytes under their key, and who sent them; the answer is the one of Flower's."""
    body = b' {"event_type":"RUN", "u": "\xc3\xbc"} '

    assert post(client, body, key="k", agent="flwr/1.41.0") == CREATED

    assert rows(tmp_path) == [("k", body, "flwr/1.41.0", 1)]


def test_an_event_that_comes_again_is_stored_once(
    client: http.client.HTTPConnection, tmp_path: Path
) -> None:
    """The sender is told the same each time, and the first body stays."""
    assert post(client, b'{"n": 1}', key="k") == CREATED
    assert post(client, b'{"n": 2}', key="k") == CREATED
    assert post(client, b'{"n": 3}', key="other") == CREATED

    assert [(key, body, count) for key, body, _, count in rows(tmp_path)] == [
        ("k", b'{"n": 1}', 2),
        ("other", b'{"n": 3}', 1),
    ]


def test_without_a_key_the_body_is_the_key(
    client: http.client.HTTPConnection, tmp_path: Path
) -> None:
    """Flower itself sends none; its id is then what the uploader would have sent."""
    post(client)
    post(client)
    post(client, b"{}")

    assert [(key, count) for key, _, _, count in rows(tmp_path)] == [
        (hashlib.sha256(BODY).hexdigest(), 2),
        (hashlib.sha256(b"{}").hexdigest(), 1),
    ]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"RUN", id="no JSON"),
        pytest.param(b"[1]", id="array"),
        pytest.param(b"{}{}", id="two objects"),
        pytest.param(b'{"a": "\xff"}', id="no UTF-8"),
        pytest.param(b'{"a": ' * 50_000, id="nested too deep"),
    ],
)
def test_what_is_no_event_is_refused(
    client: http.client.HTTPConnection, tmp_path: Path, body: bytes
) -> None:
    """The connection is good for the next one."""
    assert post(client, body) == (400, {"error": "the body is not one JSON object"})
    assert post(client) == CREATED

    assert len(rows(tmp_path)) == 1


def test_another_address_is_not_found(client: http.client.HTTPConnection, tmp_path: Path) -> None:
    """Nothing is stored, the body is read, the connection stays."""
    assert post(client, path="/api/v2/event") == (404, {"error": "POST /api/v1/event"})
    assert post(client) == CREATED

    assert len(rows(tmp_path)) == 1


def test_health_is_for_whoever_watches(client: http.client.HTTPConnection) -> None:
    """Only at its own address."""
    client.request("GET", HEALTH_PATH)
    assert answer(client) == (200, {"status": "ok"})
    client.request("GET", "/")
    assert answer(client) == (404, {"error": "GET /healthz"})


def raw(server: Collector, request: bytes) -> list[bytes]:
    """Send these bytes and return status line and content of what comes back until it closes."""
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=20) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        with connection.makefile("rb") as received:
            head, _, content = received.read().partition(b"\r\n\r\n")
    return [head.split(b"\r\n")[0], content]


@pytest.mark.parametrize(
    "header",
    [
        pytest.param(b"", id="absent"),
        pytest.param(b"Transfer-Encoding: chunked\r\n", id="chunked"),
        pytest.param(b"Content-Length: -1\r\n", id="negative"),
        pytest.param(b"Content-Length: two\r\n", id="a word"),
        pytest.param(b"Content-Length: \xb2\r\n", id="a digit that is no number"),
    ],
)
def test_a_body_without_a_length_is_refused(running: Collector, header: bytes) -> None:
    """Where the next request begins nobody could tell, so the connection ends."""
    assert raw(running, b"POST /api/v1/event HTTP/1.1\r\n" + header + b"\r\n{}") == [
        b"HTTP/1.1 411 Length Required",
        b'{"error": "Content-Length is missing"}',
    ]


@pytest.mark.parametrize("length", [b"1048577", b"9" * 30, b"9" * 5000])
def test_a_body_that_is_too_long_is_refused_unread(running: Collector, length: bytes) -> None:
    """More than the longest event that any setting allows."""
    request = b"POST /api/v1/event HTTP/1.1\r\nContent-Length: " + length + b"\r\n\r\n"

    assert raw(running, request) == [
        b"HTTP/1.1 413 Request Entity Too Large",
        b'{"error": "more than 1 MiB"}',
    ]


def test_the_longest_event_is_taken(client: http.client.HTTPConnection) -> None:
    """What a spool may hold, the collector takes."""
    padding = b"x" * (2**20 - len(b'{"a": ""}'))

    assert post(client, b'{"a": "' + padding + b'"}') == CREATED


def test_a_connection_is_kept_alive(client: http.client.HTTPConnection, running: Collector) -> None:
    """Ten events over one connection."""
    client.connect()
    assert client.sock is not None
    address = client.sock.getsockname()
    for number in range(10):
        assert post(client, b'{"n": %d}' % number) == CREATED

    assert client.sock.getsockname() == address
    assert running.url == f"http://127.0.0.1:{running.server_port}{EVENT_PATH}"


def test_a_body_that_ends_early_is_refused(running: Collector, tmp_path: Path) -> None:
    """Half an event is none, even if it is JSON."""
    request = b'POST /api/v1/event HTTP/1.1\r\nContent-Length: 99\r\n\r\n{"a": 1}'

    assert raw(running, request) == [
        b"HTTP/1.1 400 Bad Request",
        b'{"error": "the body ended early"}',
    ]
    assert rows(tmp_path) == []


@pytest.mark.parametrize("sent", [b"", b"POST /api", b"POST /api/v1/event HTTP/1.1\r\nContent-L"])
def test_a_client_that_goes_is_its_own_affair(
    running: Collector, capfd: pytest.CaptureFixture[str], sent: bytes
) -> None:
    """A collector that works is quiet, whatever becomes of its clients."""
    with socket.create_connection(("127.0.0.1", running.server_port)) as connection:
        connection.sendall(sent)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    with closing(connect(running)) as client:
        assert post(client) == CREATED

    assert capfd.readouterr().err == ""


def test_events_survive_a_restart(tmp_path: Path) -> None:
    """And one that was delivered before is known after."""
    for _ in range(2):
        with (
            collector(tmp_path / "events.db") as server,
            closing(connect(server)) as client,
        ):
            assert post(client, key="k") == CREATED

    assert [(key, count) for key, _, _, count in rows(tmp_path)] == [("k", 2)]


def test_many_senders_at_once_lose_nothing(running: Collector, tmp_path: Path) -> None:
    """Each sends the same events, and each event is stored once."""
    senders, events = 8, 25

    def send() -> None:
        with closing(connect(running)) as client:
            for number in range(events):
                post(client, b"{}", key=str(number))

    threads = [threading.Thread(target=send) for _ in range(senders)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted((int(key), count) for key, _, _, count in rows(tmp_path)) == [
        (number, senders) for number in range(events)
    ]


def test_an_event_that_cannot_be_stored_is_to_be_sent_again(
    client: http.client.HTTPConnection, tmp_path: Path
) -> None:
    """503: the sender keeps it and waits."""
    with closing(sqlite3.connect(tmp_path / "events.db")) as database:
        database.execute("DROP TABLE events")

        assert post(client) == (503, {"error": "the event cannot be stored"})
