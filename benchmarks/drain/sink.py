"""An HTTP endpoint on loopback that costs little, forgets nothing and has no work of its own.

    python -m benchmarks.drain.sink [--latency 0.05] [--limit 8] [--workers 8]
                                       [--bodies lines] [--answer JSON]

It prints its port and then answers, on stdout, each command that comes in on stdin with a line of
JSON: `progress`, `verify FILE` (see `tally`), `arrivals FILE` (when each came). It ends
with its stdin. One thread and one `epoll`: latency is a queue of answers that are due later.
"""

from __future__ import annotations

import argparse
import gc
import json
import select
import socket
import sys
import time
from collections import deque
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from benchmarks.drain.load import Load, Workers
from benchmarks.drain.tally import BODIES, Tally
from benchmarks.drain.wire import CONTINUE, Parser, Request, decoded

_RECEIVED_BYTES = 2**18
_STDIN = 0


class Client:
    """A connection and what has come in on it."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.parser = Parser()

    def send(self, data: bytes) -> None:
        """Send an answer: far smaller than what the kernel takes at once."""
        with suppress(OSError):  # the client has gone, and knows that it has no answer
            self.connection.send(data)


class Sink:
    """The endpoint."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._workers = Workers(options.latency, options.workers)
        self._accepted = _answer("201 Created", options.answer.encode())
        self._refused = _answer("429 Too Many Requests", b"{}")
        self._tally = Tally(BODIES[options.bodies])
        self._load = Load(options.limit)
        self._clients: dict[int, Client] = {}
        # Answers go out once all that has come in is read: a faster server's come together, too.
        self._due: deque[tuple[float, Client, bool]] = deque()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self._epoll = select.epoll()
        # One for all: memory of this size, asked for anew, costs more than the request.
        self._buffer = memoryview(bytearray(_RECEIVED_BYTES))

    def serve(self) -> None:
        """Answer requests until stdin ends."""
        self._epoll.register(self._listener, select.EPOLLIN)
        self._epoll.register(_STDIN, select.EPOLLIN)
        _say({"port": self._listener.getsockname()[1]})
        while True:
            patience = None
            if self._due:
                patience = max(0.0, self._due[0][0] - time.monotonic())
            for descriptor, _ in self._epoll.poll(patience):
                if client := self._clients.get(descriptor):
                    self._read(client)
                elif descriptor == self._listener.fileno():
                    self._accept()
                elif not self._obey():
                    return
            self._answer_due()

    def _accept(self) -> None:
        connection, _ = self._listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._clients[connection.fileno()] = Client(connection)
        self._epoll.register(connection, select.EPOLLIN)

    def _read(self, client: Client) -> None:
        try:
            received = client.connection.recv_into(self._buffer)
        except OSError:
            received = 0
        if not received:
            del self._clients[client.connection.fileno()]
            client.connection.close()
            return
        for request in client.parser.feed(bytes(self._buffer[:received])):
            self._take(client, request)
        if client.parser.expecting:
            client.parser.expecting = False
            client.send(CONTINUE)

    def _take(self, client: Client, request: Request) -> None:
        now = time.monotonic()
        accepted = self._load.begin(now)
        if accepted and request.body:
            self._tally.add(decoded(request), now)
        self._due.append((self._workers.answers_at(now), client, accepted))

    def _answer_due(self) -> None:
        now = time.monotonic()
        while self._due and self._due[0][0] <= now:
            _, client, accepted = self._due.popleft()
            self._finish(client, accepted)

    def _finish(self, client: Client, accepted: bool) -> None:
        client.send(self._accepted if accepted else self._refused)
        self._load.end(time.monotonic(), accepted)

    def _obey(self) -> bool:
        command, _, argument = sys.stdin.readline().strip().partition(" ")
        match command:
            case "progress":
                _say({"arrived": self._tally.arrived})
            case "verify":
                _say(asdict(self._tally.verdict(Path(argument))) | asdict(self._load.figures()))
            case "arrivals":
                _say({"at": self._tally.times(Path(argument))})
            case _:
                return False
        return True


def _answer(status: str, body: bytes) -> bytes:
    return (
        b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        % (status.encode(), len(body))
    ) + body


def _say(value: object) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Serve."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.drain.sink")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--limit", type=int, help="requests in flight beyond which it says 429")
    parser.add_argument("--workers", type=int, help="requests at work; the others wait in line")
    parser.add_argument("--bodies", choices=sorted(BODIES), default="lines")
    parser.add_argument("--answer", default='{"status": "created"}')
    gc.disable()  # nothing here is cyclic, and a million numbers are long to look through
    Sink(parser.parse_args()).serve()


if __name__ == "__main__":
    main()
