"""The engine: looks for events, sends them, and acts on what comes back.

One thread runs it. Everything it waits for arrives in one mailbox: answers from the lanes, the
doorbell of the watcher, the request to stop. So every wait ends at once when there is reason to.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from telemetry_spool import policy
from telemetry_spool.consent import Consent, ConsentReader, Mode
from telemetry_spool.events import Event, Malformed, parse
from telemetry_spool.paths import Kind
from telemetry_spool.writer_settings import LARGEST_EVENT_BYTES
from uploader.announcer import Announcer
from uploader.backlog import SENDABLE, Backlog, Item
from uploader.config import UploaderConfig
from uploader.gate import Gate
from uploader.lanes import Delivered, Lanes
from uploader.lookout import Lookout
from uploader.outcome import Outcome, Verdict, judge
from uploader.settlement import Counters, Settlement
from uploader.strictness import Held, objection
from uploader.suspects import Suspects

if TYPE_CHECKING:
    from uploader.transport import TransportFactory

GRACE_SECONDS = 5.0
"""How long a stop waits for requests under way: service managers wait longer before they kill."""

_log = logging.getLogger(__name__)


# What the user has chosen to be sent is sent in mode `local`, too: that is what it was chosen for.
_SENDABLE = {Mode.ON: SENDABLE, Mode.LOCAL: frozenset({Kind.RELEASED}), Mode.OFF: frozenset()}


class Signal(Enum):
    """What reaches the engine besides answers."""

    LOOK = "look"
    STOP = "stop"


Message = Delivered | Signal


@dataclass(frozen=True, slots=True)
class _Request:
    """A request under way, sent at `sent_at` of the monotonic clock."""

    item: Item
    event: Event
    sent_at: float


class Engine:
    """Drains a spool. The caller holds the spool's uploader lock."""

    def __init__(
        self, config: UploaderConfig, connect: TransportFactory, random: Callable[[], float]
    ) -> None:
        """Use `connect` for each lane's transport; `random` returns a number in [0, 1)."""
        self.mailbox: SimpleQueue[Message] = SimpleQueue()
        self.gate = Gate(config.concurrency, random)
        self.backlog = Backlog(limit=LARGEST_EVENT_BYTES)
        self.stopping = False
        self._rescan_interval = config.rescan_interval
        self._consent = ConsentReader(config.mode_file)
        self._policy = config.policy
        self._lanes = Lanes(config.concurrency, connect, self.mailbox.put)
        self._lookout = Lookout(str(config.directories.spool), config.rescan_interval)
        self._settlement = Settlement(config, self.backlog)
        self._suspects = Suspects(random)
        self._announcer = Announcer()
        self._strict = config.strict
        self._under_way: dict[int, _Request] = {}
        self._tickets = 0
        self._rung = True

    def ring(self) -> None:
        """Say that the spool has changed. May be called from any thread and any number of times."""
        if not self._rung:
            self._rung = True
            self.mailbox.put(Signal.LOOK)

    @property
    def counters(self) -> Counters:
        """What became of events since the engine started."""
        return self._settlement.counters

    @property
    def consent(self) -> Consent:
        """The consent of this moment."""
        return self._consent.now()

    @property
    def outdated(self) -> bool:
        """Whether the site policy demands other settings: nothing more is sent with these."""
        self._consent.now()
        return policy.differ(self._consent.policy, self._policy)

    @property
    def sendable(self) -> frozenset[Kind]:
        """The segments of which consent and the site policy of this moment allow a request."""
        kinds = _SENDABLE[self.consent.mode]
        return frozenset() if policy.differ(self._consent.policy, self._policy) else kinds

    @property
    def idle(self) -> bool:
        """Whether everything that was found has been dealt with."""
        return self.backlog.empty and not self._under_way and not self._rung

    @property
    def under_way(self) -> bool:
        """Whether there are requests without an answer."""
        return bool(self._under_way)

    @property
    def kept(self) -> bool:
        """Whether something that was found could not be dealt with, though the endpoint works."""
        return self._lookout.kept or self.backlog.kept

    @property
    def resumes_at(self) -> float | None:
        """When an event that waits by itself is tried again; None if there is none."""
        return self._suspects.next_due

    def work(self) -> float:
        """Send what may be sent; return the seconds until there is more to do without a message."""
        now = time.monotonic()
        if self._may_send() and now >= self.gate.closed_until:
            for item in self._suspects.due(now):
                item.reading.again(item.line)
            if now >= self._lookout.next_look:
                self._look(now)
            self._send(now)
            # After sending: the last answer of a segment may have come with the ring, or after it.
            if self._rung and self.backlog.exhausted:
                self._look(now)
                self._send(now)
        self._settlement.save_if_due(now)
        return self._patience(now)

    def _look(self, now: float) -> None:
        self._rung = False
        self._settlement.retry_if_due(now)
        doubtful = self.gate.trouble is not None
        sealing = Kind.SEALED in self.sendable
        self._lookout.look(self.backlog, now, time.time(), sealing=sealing, doubtful=doubtful)

    def _may_send(self) -> bool:
        """Ask for consent, let the backlog know, and tell whether there is any."""
        kinds = self.sendable
        self.backlog.allow(kinds)
        return bool(kinds)

    def _send(self, now: float) -> None:
        while len(self._under_way) < self.gate.allowance(now) and self._may_send():
            item = self.backlog.take()
            if item is None:
                break
            event = self._event_of(item)
            if not isinstance(event, Event):
                self._settlement.reject(item, event.reason, None)
                if not self.mailbox.empty():
                    break  # a segment of nothing but bad lines keeps no answer and no stop waiting
                continue
            self._tickets += 1
            self._under_way[self._tickets] = _Request(item, event, now)
            self._lanes.submit(self._tickets, event)
        self._settlement.remove_finished()

    def _event_of(self, item: Item) -> Event | Malformed | Held:
        event = parse(item.line)
        let_go = not self._strict or item.reading.kind is Kind.RELEASED
        if let_go or isinstance(event, Malformed):
            return event
        return objection(event, item.reading.owner) or event

    def _patience(self, now: float) -> float:
        """Return the seconds until there is something to do without a message."""
        if not self.sendable:
            patience = self._rescan_interval
        elif now < self.gate.closed_until:
            patience = self.gate.closed_until - now
        else:
            patience = self._lookout.next_look - now
            if self.resumes_at is not None:
                patience = min(patience, self.resumes_at - now)
        if self._settlement.save_due is not None:
            patience = min(patience, self._settlement.save_due - now)
        return max(0.0, patience)

    def wait(self, timeout: float) -> None:
        """Wait at most `timeout` seconds for something to happen and act on it."""
        try:
            message = self.mailbox.get(block=timeout > 0, timeout=timeout)
            while True:
                self._handle(message)
                message = self.mailbox.get_nowait()
        except Empty:
            return

    def _handle(self, message: Message) -> None:
        if message is Signal.STOP:
            self.stopping = True
        elif isinstance(message, Delivered):
            request = self._under_way.pop(message.ticket)
            self._act(request, judge(message.result, datetime.now(tz=UTC)))

    def _act(self, request: _Request, outcome: Outcome) -> None:
        now = time.monotonic()
        item = request.item
        match outcome.verdict:
            case Verdict.ACCEPTED:
                self._note_answer(item, now)
                self._settlement.accept(item, request.event)
            case Verdict.REJECTED:
                self._note_answer(item, now)
                self._settlement.reject(item, outcome.reason, outcome)
            case Verdict.RETRY | Verdict.HOLD:
                self._fail(request, outcome, now)

    def _fail(self, request: _Request, outcome: Outcome, now: float) -> None:
        item = request.item
        if self._suspects.failed(item, now):
            _log.debug("event %s alone is answered with %s", request.event.id, outcome.reason)
            item.reading.postpone(item.line)
            return
        self.gate.failed(outcome, now, sent_at=request.sent_at)
        if self.gate.delaying:
            self._announcer.trouble(outcome, now)
        item.reading.again(item.line)

    def _note_answer(self, item: Item, now: float) -> None:
        self._suspects.answered(item)
        self.gate.answered(now)
        if self.gate.trouble is None:
            self._announcer.recovered()

    def shut_down(self) -> None:
        """Wait for what is under way, at most `GRACE_SECONDS`, then save and close."""
        deadline = time.monotonic() + GRACE_SECONDS
        while self._under_way and (left := deadline - time.monotonic()) > 0:
            self.wait(left)
        self._settlement.remove_finished()
        self._settlement.save(time.monotonic())
        self.backlog.close()
        self._settlement.forget()
        self._suspects.forget()

    def retire(self) -> None:
        """End the lanes: this engine is not used again."""
        self._lanes.end()
