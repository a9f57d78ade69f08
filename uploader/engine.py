"""The engine: looks for events, sends them, and acts on what comes back.

One thread runs it. Everything it waits for arrives in one mailbox: answers from the lanes, the
doorbell of the watcher, the request to stop. So every wait ends at once when there is reason to.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from telemetry_spool import policy
from telemetry_spool.consent import Consent, ConsentReader
from telemetry_spool.events import Event, Malformed, parse
from telemetry_spool.paths import Kind
from telemetry_spool.writer_settings import LARGEST_EVENT_BYTES
from uploader.admission import Admission
from uploader.announcer import Announcer
from uploader.backlog import Item, sendable_with
from uploader.choices import Choices
from uploader.config import UploaderConfig
from uploader.gates import Gates, Owner
from uploader.lanes import Delivered, Lanes
from uploader.lookout import Lookout
from uploader.outcome import Outcome, Verdict, judge
from uploader.settlement import Counters, Settlement
from uploader.strictness import Held, objection
from uploader.suspects import Suspects
from uploader.turns import Turns

if TYPE_CHECKING:
    from uploader.transport import TransportFactory

GRACE_SECONDS = 5.0
"""How long a stop waits for requests under way: service managers wait longer before they kill."""

# Bad lines that are set aside in one go: a file of nothing else keeps nobody waiting.
_MOST_SET_ASIDE = 100

_log = logging.getLogger(__name__)


# What the user has chosen to be sent is sent in mode `local`, too: that is what it was chosen for.


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
        self.gate = Gates(config.concurrency, random)
        self.backlog = Turns(limit=LARGEST_EVENT_BYTES)
        self.stopping = False
        self._rescan_interval = config.rescan_interval
        self._consent = ConsentReader(config.mode_file)
        self._policy = config.policy
        self._lanes = Lanes(config.concurrency, connect, self.mailbox.put)
        self._settlement = Settlement(config, self.backlog)
        self._lookout = Lookout(
            config.directories,
            config.rescan_interval,
            config.max_spool_bytes,
            self._settlement.evicted,
        )
        choices = Choices(str(config.directories.spool))
        self._admission = Admission(self.gate, choices, config.concurrency)
        self._suspects = Suspects(random)
        self._announcer = Announcer()
        self._strict = config.strict
        self._under_way: dict[int, _Request] = {}
        self._tickets = 0
        self._rung = True
        self._hurried = False

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
        kinds = sendable_with(self.consent)
        return frozenset() if policy.differ(self._consent.policy, self._policy) else kinds

    @property
    def idle(self) -> bool:
        """Whether everything that was found has been dealt with."""
        return not self._under_way and not self._rung and not self._has_due

    @property
    def _has_due(self) -> bool:
        """Whether there are events that can be dealt with now."""
        now = time.monotonic()
        return any(self._admission.is_due(owner, now) for owner in self.backlog.busy())

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
        """When what waits by itself is tried again, an event or an owner; None: nothing does."""
        now = time.monotonic()
        moments = self._admission.openings(self.backlog.is_busy, now)
        if self._suspects.next_due is not None:
            moments.append(self._suspects.next_due)
        return min(moments, default=None)

    @property
    def closed_until(self) -> float:
        """When the first of those may be sent who have something to send."""
        moments = [self._admission.opens_at(owner) for owner in self.backlog.busy()]
        return min(moments, default=self.gate.closed_until)

    def work(self) -> float:
        """Send what may be sent; return the seconds until there is more to do without a message."""
        now = time.monotonic()
        self._hurried = False
        if self._may_send() and (self._lookout.shared or now >= self.gate.closed_until):
            for item in self._suspects.due(now):
                self.backlog.again(item)
            if now >= self._lookout.next_look:
                self._look(now)
            self._send(now)
            # After sending: the last answer of a segment may have come with the ring, or after it.
            if self._rung and self._ring_due <= now:
                self._look(now)
                self._send(now)
        self._settlement.save_if_due(now)
        return self._patience(now)

    @property
    def _ring_due(self) -> float:
        due = self._lookout.answers_ring(exhausted=self.backlog.exhausted)
        return math.inf if due is None else due

    def _look(self, now: float) -> None:
        self._rung = False
        self._settlement.retry_if_due(now)
        sealing = Kind.SEALED in self.sendable
        self._lookout.look(
            self.backlog, now, time.time(), sealing=sealing, doubtful=self._is_doubtful
        )

    def _is_doubtful(self, owner: Owner) -> bool:
        return self.gate.of(owner).trouble is not None

    def _may_send(self) -> bool:
        """Ask for consent, let the backlog know, and tell whether there is any."""
        kinds = self.sendable
        self.backlog.allow(kinds)
        return bool(kinds)

    def _send(self, now: float) -> None:
        set_aside = 0
        while self._may_send() and not self._admission.full:
            item = self.backlog.take(lambda owner: self._admission.admits(owner, now))
            if item is None:
                break
            event = self._event_of(item)
            if not isinstance(event, Event):
                self._settlement.reject(item, event.reason, None)
                set_aside += 1
                self._hurried = set_aside == _MOST_SET_ASIDE
                if self._hurried or not self.mailbox.empty():
                    break  # a segment of nothing but bad lines keeps no answer and no stop waiting
                continue
            self._tickets += 1
            self._under_way[self._tickets] = _Request(item, event, now)
            self._admission.sent(item.reading.turn)
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
        elif self._hurried:
            patience = 0.0
        elif now < self.gate.closed_until and not self._lookout.shared:
            patience = self.gate.closed_until - now
        else:
            patience = self._lookout.next_look - now
            resumes_at = self.resumes_at
            if resumes_at is not None and resumes_at > now:
                patience = min(patience, resumes_at - now)
            if self._rung:
                patience = min(patience, self._ring_due - now)
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
            self._admission.ended(request.item.reading.turn)
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
        item, owner = request.item, request.item.reading.turn
        if self._suspects.failed(item, now):
            _log.debug("event %s alone is answered with %s", request.event.id, outcome.reason)
            item.reading.postpone(item.line)
            return
        self.gate.failed(outcome, now, sent_at=request.sent_at, owner=owner)
        if self.gate.of(owner).delaying:
            self._announcer.trouble(outcome, now)
        self.backlog.again(item)
        self.backlog.rest_if_crowded(owner)

    def _note_answer(self, item: Item, now: float) -> None:
        self._suspects.answered(item)
        self.gate.answered(now, item.reading.turn)
        if self.gate.of(item.reading.turn).trouble is None:
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
