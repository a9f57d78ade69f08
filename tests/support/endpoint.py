"""A scripted HTTP endpoint on loopback: it answers what a test tells it to and forgets nothing."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

PATH = "/api/v1/event"


@dataclass(frozen=True, slots=True)
class Request:
    """What a client sent. Headers are found by name in any case; `received_at` is monotonic."""

    method: str
    path: str
    headers: Message
    body: bytes
    received_at: float

    def json(self) -> Any:
        """Return the body as JSON. Raises ValueError."""
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the endpoint says to a request.

    `delay` in seconds comes before it, on top of the endpoint's latency. With `hang_up`, the
    connection ends instead, without a byte.
    """

    status: int = 201
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})
    body: bytes = b'{"status": "created"}'
    delay: float = 0.0
    hang_up: bool = False


CREATED = Answer()


def in_turn(answers: Iterable[Answer], *, then: Answer = CREATED) -> Callable[[Request], Answer]:
    """Give these answers one after the other, whatever the requests are, and `then` for ever."""
    remaining = iter(answers)
    lock = threading.Lock()

    def answer(_: Request) -> Answer:
        with lock:
            return next(remaining, then)

    return answer


class Endpoint:
    """An HTTP/1.1 server with keep-alive on a port of 127.0.0.1, as a context manager.

    `latency` (seconds) and `answer` may be set at any time. `stop()` and `start()` make an outage:
    connections are refused and the kept-alive ones end; the port stays the same.
    """

    def __init__(
        self, answer: Callable[[Request], Answer] | None = None, *, latency: float = 0.0
    ) -> None:
        self.answer = answer or (lambda _: CREATED)
        self.latency = latency
        self.requests: list[Request] = []
        """Every request, in the order in which they had been read."""
        self.accepted: list[Request] = []
        """The requests that were answered with 2xx, in that order, once it had been written."""
        self._changed = threading.Condition()
        self._port = 0
        self._server: _Server | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def port(self) -> int:
        """The port, the same from the first start on."""
        return self._port

    @property
    def url(self) -> str:
        """Where to post events."""
        return f"http://127.0.0.1:{self._port}{PATH}"

    def start(self) -> None:
        """Listen; the first time on a free port, later on the same one."""
        if self._server is None:
            self._server = _Server(self._port, self)
            self._port = self._server.server_address[1]
            threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        """Refuse connections and end those there are; answers still waiting are not given."""
        if self._server is not None:
            self._server.end()
            self._server = None

    def received(self, request: Request) -> None:
        """Record a request. For the server's threads."""
        with self._changed:
            self.requests.append(request)
            self._changed.notify_all()

    def answered(self, request: Request, answer: Answer) -> None:
        """Record that an answer has been written. For the server's threads."""
        with self._changed:
            if 200 <= answer.status < 300:
                self.accepted.append(request)
            self._changed.notify_all()

    def wait_for(self, count: int, *, accepted: bool = False, seconds: float = 20.0) -> bool:
        """Wait until there are `count` requests (or accepted ones); False if there are not."""
        watched = self.accepted if accepted else self.requests
        with self._changed:
            return self._changed.wait_for(lambda: len(watched) >= count, seconds)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, port: int, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.stopping = threading.Event()
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(("127.0.0.1", port), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients that die in the middle of a request are what tests are about."""

    def end(self) -> None:
        self.stopping.set()
        self.shutdown()
        self.server_close()
        with self._lock:
            for connection in self._connections:
                _break(connection)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server
    # One write for headers and body: two of them wait for each other's acknowledgement (40 ms).
    wbufsize = -1
    disable_nagle_algorithm = True

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except OSError:
            self.close_connection = True

    def _respond(self) -> None:
        endpoint = self.server.endpoint
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        request = Request(self.command, self.path, self.headers, body, time.monotonic())
        endpoint.received(request)
        answer = endpoint.answer(request)
        stopped = self.server.stopping.wait(endpoint.latency + answer.delay)
        if stopped or answer.hang_up:
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)
        self.wfile.flush()
        endpoint.answered(request, answer)

    do_GET = do_OPTIONS = do_POST = do_PUT = _respond  # noqa: N815 - http.server finds them by name

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named by http.server
        """Say nothing: `requests` has it all."""


def _break(connection: socket.socket) -> None:
    with suppress(OSError):  # its client was faster
        connection.shutdown(socket.SHUT_RDWR)
