"""Servers that speak in bytes, and what of the environment changes how `requests` connects."""

from __future__ import annotations

import os
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Self

from uploader.destination import Destination

_NETWORK_VARIABLES = (
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "NETRC",
)


def network_variables() -> list[str]:
    """Return the variables that are set and change how `requests` connects."""
    return [name for name in os.environ if name.upper() in _NETWORK_VARIABLES]


class RawServer:
    """Listens on a port of 127.0.0.1 and lets `talk` have each connection, as a context manager.

    `talk` runs in a thread for each connection, which is closed when it returns; that the client
    has gone is no error. With `context` the connection is a TLS one.
    """

    def __init__(
        self, talk: Callable[[socket.socket], None], *, context: ssl.SSLContext | None = None
    ) -> None:
        self.connections = 0
        """How many there have been."""
        self._talk = talk
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0))

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    @property
    def port(self) -> int:
        """Where it listens."""
        port: int = self._listener.getsockname()[1]
        return port

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError), connection:
            if self._context is None:
                self._talk(connection)
            else:
                with self._context.wrap_socket(connection, server_side=True) as secure:
                    self._talk(secure)


def read_request(connection: socket.socket) -> bytes:
    """Read one request with a `Content-Length`; what there is of it if the client goes."""
    received = b""
    while b"\r\n\r\n" not in received:
        piece = connection.recv(65536)
        if not piece:
            return received
        received += piece
    head, _, body = received.partition(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    while len(body) < length:
        piece = connection.recv(65536)
        if not piece:
            break
        body += piece
    return head + b"\r\n\r\n" + body


def says(answer: bytes) -> Callable[[socket.socket], None]:
    """Return a `talk` that answers one request with these bytes and closes."""

    def talk(connection: socket.socket) -> None:
        if read_request(connection):
            connection.sendall(answer)

    return talk


def to(url: str, **others: Any) -> Destination:
    """Return a destination with timeouts that do not matter, unless others are given."""
    return Destination(url, **{"connect_timeout": 20.0, "read_timeout": 20.0, **others})


def unused_port() -> int:
    """Return a port of 127.0.0.1 at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
