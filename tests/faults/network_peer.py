"""A peer on loopback that does with a connection what a script tells it, TCP faults included."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

PATH = "/api/v1/event"

CREATED = b'{"status": "created"}'


@dataclass(frozen=True, slots=True)
class Received:
    """A request as it came: its head, line by line, and its body."""

    head: bytes
    body: bytes


def answer(
    status: int, body: bytes = CREATED, *headers: str, content_type: str = "application/json"
) -> bytes:
    """Return a whole answer."""
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}", *headers]
    if content_type:
        lines.append(f"Content-Type: {content_type}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


class Connection:
    """A connection that was accepted; `number` counts them from 0."""

    def __init__(self, accepted: socket.socket, peer: Peer, number: int) -> None:
        self.number = number
        self.peer = peer
        self._socket = accepted
        self._unread = b""

    def read_some(self) -> bytes:
        """Read what comes next, whatever it is."""
        return self._socket.recv(2**16)

    def read_head(self) -> bytes:
        """Read up to the empty line; return nothing when the client has hung up."""
        while b"\r\n\r\n" not in self._unread:
            piece = self._socket.recv(2**16)
            if not piece:
                return b""
            self._unread += piece
        head, _, self._unread = self._unread.partition(b"\r\n\r\n")
        return head

    def read_body(self, head: bytes) -> bytes:
        """Read the body that a head announces."""
        fields = dict(
            line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:] if b": " in line
        )
        length = int(fields.get(b"content-length", b"0"))
        while len(self._unread) < length:
            piece = self._socket.recv(2**16)
            if not piece:
                break
            self._unread += piece
        body, self._unread = self._unread[:length], self._unread[length:]
        return body

    def read(self) -> Received | None:
        """Read a request and remember it; None when the client has hung up."""
        head = self.read_head()
        if not head:
            return None
        received = Received(head, self.read_body(head))
        self.peer.remember(received)
        return received

    def send(self, data: bytes) -> None:
        """Send all of it at once."""
        self._socket.sendall(data)

    def accept(self, received: Received, data: bytes | None = None) -> None:
        """Answer that the event has been taken, and remember that."""
        self.send(data if data is not None else answer(201))
        self.peer.remember_accepted(received)

    def drip(self, data: bytes, seconds: float = 0.1) -> None:
        """Send it a byte at a time, for as long as the client and the peer are there."""
        for byte in data:
            self.send(bytes([byte]))
            if self.peer.stopping.wait(seconds):
                return

    def wait_for_the_client(self) -> None:
        """Wait until the client hangs up, or the peer is stopped; read nothing."""
        self._socket.settimeout(0.05)
        while not self.peer.stopping.is_set():
            with suppress(TimeoutError, ssl.SSLWantReadError):
                if not self._socket.recv(2**16):
                    return

    def end_of_sending(self) -> None:
        """Send FIN, and go on listening."""
        self._socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Send RST."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()

    def close(self) -> None:
        """Close it, in whatever state it is."""
        self._socket.close()


Script = Callable[[Connection], None]


class Peer:
    """Listens on a port of 127.0.0.1 and runs `script` for every connection, each in a thread.

    With `tls`, the script starts after the handshake. `stop()` and `start()` make an outage; the
    port stays the same. `script` may be set at any time.
    """

    def __init__(self, script: Script, *, tls: ssl.SSLContext | None = None) -> None:
        self.script = script
        self.stopping = threading.Event()
        self.received: list[Received] = []
        """Every whole request, in the order in which they had been read."""
        self.accepted: list[bytes] = []
        """The bodies of those that were accepted."""
        self.connections = 0
        self._tls = tls
        self._changed = threading.Condition()
        self._port = 0
        self._listener: socket.socket | None = None
        self._open: set[socket.socket] = set()

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
        scheme, host = ("https", "localhost") if self._tls else ("http", "127.0.0.1")
        return f"{scheme}://{host}:{self._port}{PATH}"

    def start(self) -> None:
        """Listen; the first time on a free port, later on the same one."""
        self.stopping = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", self._port))
        self._port = self._listener.getsockname()[1]
        arguments = (self._listener, self.stopping)
        threading.Thread(target=self._listen, args=arguments, daemon=True).start()

    def stop(self) -> None:
        """Refuse connections and end those there are."""
        if self._listener is None:
            return
        self.stopping.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread in accept()
        self._listener.close()
        self._listener = None
        with self._changed:
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def remember(self, received: Received) -> None:
        """Note a request. For scripts."""
        with self._changed:
            self.received.append(received)
            self._changed.notify_all()

    def remember_accepted(self, received: Received) -> None:
        """Note that a request was accepted. For scripts."""
        with self._changed:
            self.accepted.append(received.body)
            self._changed.notify_all()

    def wait_for(self, condition: Callable[[Peer], bool], seconds: float = 60.0) -> bool:
        """Wait until something is true of this peer; False if it does not become so."""
        with self._changed:
            return self._changed.wait_for(lambda: condition(self), seconds)

    def _listen(self, listener: socket.socket, stopping: threading.Event) -> None:
        while not stopping.is_set():
            try:
                accepted, _ = listener.accept()
            except OSError:
                return
            with self._changed:
                self._open.add(accepted)
                number = self.connections
                self.connections += 1
                self._changed.notify_all()
            threading.Thread(target=self._serve, args=(accepted, number), daemon=True).start()

    def _serve(self, accepted: socket.socket, number: int) -> None:
        try:
            # Two writes in a row must not wait for each other's acknowledgement (40 ms).
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            served = self._tls.wrap_socket(accepted, server_side=True) if self._tls else accepted
            connection = Connection(served, self, number)
            self.script(connection)
            connection.close()
        except OSError:
            accepted.close()  # the client was faster, or the handshake has failed
        finally:
            with self._changed:
                self._open.discard(accepted)


def accepting(connection: Connection) -> None:
    """Take every event, as a healthy endpoint does."""
    while received := connection.read():
        connection.accept(received)


def answering(data: bytes) -> Script:
    """Return a script that gives the same answer to every request."""

    def script(connection: Connection) -> None:
        while connection.read():
            connection.send(data)

    return script


def silent(connection: Connection) -> None:
    """Read the request, and say nothing."""
    connection.read()
    connection.wait_for_the_client()
