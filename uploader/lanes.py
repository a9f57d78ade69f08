"""Lanes: threads that carry one request each, so that a slow answer holds up no other."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, NamedTuple

from telemetry_spool.headers import with_key
from uploader.carrier import Delivered, Message, Requests, Signal
from uploader.outcome import Failure, Trouble

if TYPE_CHECKING:
    from uploader.transport import Transport, TransportFactory

_log = logging.getLogger(__name__)


class _Job(NamedTuple):
    ticket: int
    body: bytes
    headers: Mapping[str, str]


class Lanes:
    """A carrier of up to `count` threads, started as they are needed.

    They are daemon threads: a request that never ends must not keep the process from ending.
    """

    def __init__(self, count: int, connect: TransportFactory) -> None:
        """Give each lane a transport from `connect`, in its thread."""
        self._count = count
        self._connect = connect
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._messages: SimpleQueue[Message] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._under_way = 0

    def submit(self, requests: Requests) -> None:
        """Begin to POST each when a lane is free."""
        headers, *columns = requests
        for ticket, body, key in zip(*columns, strict=True):
            self._submit(_Job(ticket, body, with_key(headers, key)))

    def _submit(self, job: _Job) -> None:
        self._under_way += 1
        if len(self._threads) < min(self._under_way, self._count):
            try:
                self._start()
            except RuntimeError as error:  # the user may have no more threads
                if not self._threads:
                    failure = Failure(Trouble.NETWORK, f"no request can be made: {error}")
                    self._messages.put(Delivered([job.ticket], failure))
                    return
        self._jobs.put(job)

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
        while (job := self._jobs.get()) is not None:
            try:
                transport = transport or self._connect()
                result = transport.send(job.body, job.headers)
            except Exception as error:  # noqa: BLE001 - a ticket without an answer would stop all
                _log.exception("a request failed in an unexpected way")
                result = Failure(Trouble.NETWORK, f"unexpected: {error!r}")
            self._messages.put(Delivered([job.ticket], result))
