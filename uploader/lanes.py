"""Lanes: threads that carry one request each, so that a slow answer holds up no other."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from queue import SimpleQueue

from uploader.events import Event
from uploader.outcome import Answer, Failure, Trouble
from uploader.transport import TransportFactory

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Delivered:
    """What came of the request with this ticket."""

    ticket: int
    result: Answer | Failure


class Lanes:
    """Up to `count` threads, started as they are needed.

    They are daemon threads: a request that never ends must not keep the process from ending.
    """

    def __init__(
        self, count: int, connect: TransportFactory, deliver: Callable[[Delivered], None]
    ) -> None:
        """Give each lane a transport from `connect`; results go to `deliver`, in its thread."""
        self._count = count
        self._connect = connect
        self._deliver = deliver
        self._jobs: SimpleQueue[tuple[int, Event]] = SimpleQueue()
        self._threads: list[threading.Thread] = []

    def submit(self, ticket: int, event: Event) -> None:
        """Send an event when a lane is free."""
        self._jobs.put((ticket, event))
        if len(self._threads) < self._count:
            name = f"lane-{len(self._threads) + 1}"
            thread = threading.Thread(target=self._drive, name=name, daemon=True)
            self._threads.append(thread)
            thread.start()

    def _drive(self) -> None:
        transport = self._connect()
        while True:
            ticket, event = self._jobs.get()
            try:
                result = transport.send(event.body, event.headers)
            except Exception as error:  # noqa: BLE001 - a ticket without an answer would stop all
                _log.exception("a request failed in an unexpected way")
                result = Failure(Trouble.NETWORK, f"unexpected: {error!r}")
            self._deliver(Delivered(ticket, result))
