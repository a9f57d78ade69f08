"""Lanes: threads that carry one request each, so that a slow answer holds up no other."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from queue import SimpleQueue
from typing import TYPE_CHECKING

from telemetry_spool.events import Event
from telemetry_spool.headers import headers
from uploader.outcome import Answer, Failure, Trouble

if TYPE_CHECKING:
    from uploader.transport import Transport, TransportFactory

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
        self._jobs: SimpleQueue[tuple[int, Event] | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []

    def submit(self, ticket: int, event: Event) -> None:
        """Send an event when a lane is free."""
        if len(self._threads) < self._count:
            name = f"lane-{len(self._threads) + 1}"
            thread = threading.Thread(target=self._drive, name=name, daemon=True)
            try:
                thread.start()
                self._threads.append(thread)
            except RuntimeError as error:  # the user may have no more threads
                if not self._threads:
                    failure = Failure(Trouble.NETWORK, f"no request can be made: {error}")
                    self._deliver(Delivered(ticket, failure))
                    return
        self._jobs.put((ticket, event))

    def end(self) -> None:
        """Have each lane end, with its connection, after the request that it has under way."""
        for _ in self._threads:
            self._jobs.put(None)

    def _drive(self) -> None:
        transport: Transport | None = None
        while True:
            job = self._jobs.get()
            if job is None:
                return
            ticket, event = job
            try:
                transport = transport or self._connect()
                result = transport.send(event.body, headers(event))
            except Exception as error:  # noqa: BLE001 - a ticket without an answer would stop all
                _log.exception("a request failed in an unexpected way")
                result = Failure(Trouble.NETWORK, f"unexpected: {error!r}")
            self._deliver(Delivered(ticket, result))
