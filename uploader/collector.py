"""A small collector for demos, tests and sites without a way out: HTTP in, SQLite on disk."""

from __future__ import annotations

import hashlib
import json
import logging
import sqlite3
import sys
import threading
from datetime import UTC, datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from telemetry_spool.writer_settings import LARGEST_EVENT_BYTES

EVENT_PATH = "/api/v1/event"
HEALTH_PATH = "/healthz"

_LENGTH_DIGITS = 10

_SCHEMA = """
CREATE TABLE IF NOT EXISTS events (
    key TEXT PRIMARY KEY,
    body BLOB NOT NULL,
    user_agent TEXT NOT NULL,
    received_at TEXT NOT NULL,
    deliveries INTEGER NOT NULL DEFAULT 1
)
"""

_INSERT = """
INSERT INTO events (key, body, user_agent, received_at) VALUES (?, ?, ?, ?)
ON CONFLICT (key) DO UPDATE SET deliveries = deliveries + 1
"""

_log = logging.getLogger(__name__)


class Store:
    """Events in SQLite, one row an `Idempotency-Key`; `deliveries` counts how often it came."""

    def __init__(self, path: Path) -> None:
        """Open the database, created if need be. Raises sqlite3.Error."""
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        # The row survives the death of this process; a power cut may cost the last second.
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=NORMAL")
        self._connection.execute(_SCHEMA)

    def add(self, key: str, body: bytes, user_agent: str) -> None:
        """Store an event, or count one more delivery of it. Raises sqlite3.Error."""
        received_at = datetime.now(tz=UTC).isoformat()
        with self._lock:
            self._connection.execute(_INSERT, (key, body, user_agent, received_at))

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._connection.close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # A header and a body written apart would wait for each other's acknowledgement.
    disable_nagle_algorithm = True
    wbufsize = -1
    server: Collector

    def do_POST(self) -> None:
        """Take one event."""
        body = self._body()
        if body is None:
            return
        if self.path != EVENT_PATH:
            self._answer(HTTPStatus.NOT_FOUND, {"error": f"POST {EVENT_PATH}"})
            return
        try:
            is_object = isinstance(json.loads(body.decode()), dict)
        except (ValueError, RecursionError):
            is_object = False
        if not is_object:
            self._answer(HTTPStatus.BAD_REQUEST, {"error": "the body is not one JSON object"})
            return
        key = self.headers.get("Idempotency-Key") or hashlib.sha256(body).hexdigest()
        try:
            self.server.store.add(key, body, self.headers.get("User-Agent", ""))
        except sqlite3.Error as error:
            _log.warning("an event cannot be stored: %s", error)
            self._answer(HTTPStatus.SERVICE_UNAVAILABLE, {"error": "the event cannot be stored"})
            return
        self._answer(HTTPStatus.CREATED, {"status": "created"})

    def do_GET(self) -> None:
        """Say that the collector lives."""
        if self.path == HEALTH_PATH:
            self._answer(HTTPStatus.OK, {"status": "ok"})
        else:
            self._answer(HTTPStatus.NOT_FOUND, {"error": f"GET {HEALTH_PATH}"})

    def _body(self) -> bytes | None:
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()):
            self.close_connection = True
            self._answer(HTTPStatus.LENGTH_REQUIRED, {"error": "Content-Length is missing"})
            return None
        if len(length) > _LENGTH_DIGITS or int(length) > LARGEST_EVENT_BYTES:
            self.close_connection = True
            self._answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, {"error": "more than 1 MiB"})
            return None
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            self.close_connection = True
            self._answer(HTTPStatus.BAD_REQUEST, {"error": "the body ended early"})
            return None
        return body

    def _answer(self, status: HTTPStatus, content: dict[str, str]) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Log requests at debug level: a collector that works is quiet."""
        _log.debug(format, *args)


class Collector(ThreadingHTTPServer):
    """The server; `url` is where events go."""

    daemon_threads = True

    def __init__(self, host: str, port: int, store: Store) -> None:
        """Listen on `host` and `port` (0: any free one). Raises OSError."""
        self.store = store
        self._host = host
        super().__init__((host, port), _Handler)

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002
        """Say nothing of a client that has gone: that is its own affair."""
        error = sys.exception()
        level = logging.DEBUG if isinstance(error, ConnectionError) else logging.ERROR
        _log.log(level, "a request from %s failed", client_address, exc_info=error)

    @property
    def url(self) -> str:
        """The endpoint to give to an uploader."""
        return f"http://{self._host}:{self.server_port}{EVENT_PATH}"
