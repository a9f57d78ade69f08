"""Many requests at once in one thread, with curl."""

from __future__ import annotations

import signal
import socket
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress

from telemetry_spool.headers import KEY
from uploader.carrier import Delivered, Message, Requests, Signal
from uploader.curl_exchanges import Exchanges
from uploader.curl_failures import wrong_setting
from uploader.curl_options import Head, head_of
from uploader.curl_route import Route, Routes
from uploader.destination import Destination

_PUT_AT_ONCE = 4096
_KEY = f"{KEY}: ".encode()


class CurlCarrier:
    """A `Carrier` that keeps connections alive, and shares one where the endpoint speaks HTTP/2.

    No redirect is followed, no cookie is kept or sent and no `.netrc` is read. Proxies and CA
    bundles are found as `requests` finds them, without SOCKS.
    """

    def __init__(self, destination: Destination, concurrency: int) -> None:
        """Send at most `concurrency` requests at a time."""
        self._routes = Routes(destination)
        self._exchanges = Exchanges(
            destination.connect_timeout, destination.read_timeout, concurrency
        )
        self._messages: deque[Message] = deque()
        self._headers: Mapping[str, str] = {}
        self._route: Route | None = None
        self._head = Head("", [])
        self._ear, self._mouth = socket.socketpair()
        self._ear.setblocking(False)
        self._mouth.setblocking(False)

    def submit(self, requests: Requests) -> None:
        """Begin to POST these; what comes of each is delivered later."""
        headers, tickets, bodies, keys = requests
        try:
            route = self._routes.current()
            if headers is not self._headers or route is not self._route:
                self._head = head_of(headers, route)
                self._headers, self._route = headers, route
        except (ValueError, OSError) as error:
            self._messages.append(Delivered(tickets, wrong_setting(error)))
        else:
            agent, lines = self._head
            heads = [[*lines, _KEY + key.encode()] for key in keys]
            self._exchanges.begin(route, agent, zip(tickets, bodies, heads, strict=True))

    def single(self, ticket: int, body: bytes | None, headers: Mapping[str, str]) -> None:
        """Begin to POST `body` with these headers only; without a body, to ask with OPTIONS."""
        try:
            route = self._routes.current()
            agent, lines = head_of(headers, route)
            self._exchanges.begin(route, agent, [(ticket, body, lines)])
        except (ValueError, OSError) as error:
            self._messages.append(Delivered([ticket], wrong_setting(error)))

    def put(self, signal: Signal) -> None:
        """Deliver a signal, which ends a wait at once; from any thread or a signal handler."""
        self._messages.append(signal)
        with suppress(OSError):  # full, so that it is heard anyway; or ended
            self._mouth.send(b"\0")

    def collect(self, timeout: float) -> Sequence[Message]:
        """Wait at most `timeout` seconds for messages; return all that there are."""
        exchanges, messages = self._exchanges, self._messages
        end = time.monotonic() + timeout
        messages.extend(exchanges.go_on())
        while not messages:
            left = end - time.monotonic()
            if left <= 0:
                break
            self._wait(left)
            messages.extend(exchanges.go_on())
        return [messages.popleft() for _ in range(len(messages))]

    def end(self) -> None:
        """Break off what is under way and close everything."""
        self._exchanges.end()
        self._ear.close()
        self._mouth.close()

    def _wait(self, seconds: float) -> None:
        """Wait for curl's sockets, what has been put, and signals.

        A signal that comes just before the wait would be answered after it, had it no descriptor
        to write to. That takes two system calls, and a wait for answers is short anyway.
        """
        hears = not self._exchanges and threading.current_thread() is threading.main_thread()
        if hears:
            before = signal.set_wakeup_fd(self._mouth.fileno(), warn_on_full_buffer=False)
        try:
            if self._exchanges.wait(seconds, self._ear.fileno()):
                self._ear.recv(_PUT_AT_ONCE)
        finally:
            if hears:
                signal.set_wakeup_fd(before)
