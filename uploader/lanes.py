"""Lanes: threads that carry one request each, so that a slow answer holds up no other."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from telemetry_spool.headers import with_key
from uploader.carrier import Delivered, Message, Request, Signal
from uploader.outcome import Failure, Trouble

if TYPE_CHECKING:
    from uploader.transport import Transport, TransportFactory

_log = logging.getLogger(__name__)


class Lanes:
    """A carrier of up to `count` threads, started as they are needed.

    They are daemon threads: a request that never ends must not keep the process from ending.
    """

    def __init__(self, count: int, connect: TransportFactory) -> None:
        """Give each lane a transport from `connect`, in its thread."""
        self._count = count
        self._connect = connect
        self._jobs: SimpleQueue[Request | None] = SimpleQueue()
        self._messages: SimpleQueue[Message] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._under_way = 0

    def submit(self, requests: Sequence[Request]) -> None:
        """Begin to POST each when a lane is free."""
        for request in requests:
            self._submit(request)

    def _submit(self, request: Request) -> None:
        self._under_way += 1
        if len(self._threads) < min(self._under_way, self._count):
            try:
                self._start()
            except RuntimeError as error:  # the user may have no more threads
                if not self._threads:
                    failure = Failure(Trouble.NETWORK, f"no request can be made: {error}")
                    self._messages.put(Delivered([request.ticket], failure))
                    return
        self._jobs.put(request)

    def _start(self) -> None:
        name = f"lane-{len(self._threads) + 1}"
        thread = threading.Thread(target=self._drive, name=name, daemon=True)
        thread.start()
        self._threads.append(thread)

    def put(self, signal: Signal) -> None:
        """Deliver a signal. A SimpleQueue may be used in a signal handler."""
        self._messages.put(signal)

    def collect(self, timeout: float) -> Sequence[Message]:
        """Wait at most `timeout` seconds for messages; return all that there are."""
        messages: list[Message] = []
        try:
            messages.append(self._messages.get(block=timeout > 0, timeout=timeout))
            while True:
                messages.append(self._messages.get_nowait())
        except Empty:
            self._under_way -= sum(1 for message in messages if isinstance(message, Delivered))
            return messages

    def end(self) -> None:
        """Have each lane end, with its connection, after the request that it has under way."""
        for _ in self._threads:
            self._jobs.put(None)

    def _drive(self) -> None:
        transport: Transport | None = None
        while (request := self._jobs.get()) is not None:
            try:
                transport = transport or self._connect()
                result = transport.send(request.body, with_key(request.headers, request.key))
            except Exception as error:  # noqa: BLE001 - a ticket without an answer would stop all
                _log.exception("a request failed in an unexpected way")
                result = Failure(Trouble.NETWORK, f"unexpected: {error!r}")
            self._messages.put(Delivered([request.ticket], result))
