"""The engine: looks for events, sends them, and acts on what comes back.

One thread runs it. Everything it waits for arrives at the carrier: answers, the doorbell of the
watcher, the request to stop. So every wait ends at once when there is reason to.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

from telemetry_spool.paths import Kind
from telemetry_spool.writer_settings import LARGEST_EVENT_BYTES
from uploader.admission import Admission
from uploader.answers import Answers, Sent
from uploader.backlog import Item
from uploader.carrier import Carrier, Delivered, Signal
from uploader.choices import Choices
from uploader.config import UploaderConfig
from uploader.gates import Gates, Owner
from uploader.lookout import Lookout
from uploader.permission import Permission
from uploader.rate import Rate
from uploader.rings import Rings
from uploader.screening import Screening
from uploader.settlement import Counters, Settlement
from uploader.sink import sink_for
from uploader.turns import Turns

GRACE_SECONDS = 5.0
"""How long a stop waits for requests under way: service managers wait longer before they kill."""

# Bad lines that are set aside in one go: a file of nothing else keeps nobody waiting.
_MOST_SET_ASIDE = 100


class Engine:
    """Drains a spool. The caller holds the spool's uploader lock."""

    def __init__(
        self, config: UploaderConfig, carrier: Carrier, random: Callable[[], float]
    ) -> None:
        """Send with this carrier; `random` returns a number in [0, 1)."""
        self._sink = sink_for(config)
        self.gate = Gates(config.concurrency, random)
        self.backlog = Turns(limit=LARGEST_EVENT_BYTES, shape=self._sink.shape)
        self.permission = Permission(config)
        self.stopping = False
        self._rescan_interval = config.rescan_interval
        self._batch_seconds = config.batch_seconds if self._batched else 0.0
        self._carrier = carrier
        self._settlement = Settlement(config, self.backlog)
        self._lookout = Lookout(
            config.directories,
            config.rescan_interval,
            config.max_spool_bytes,
            self._settlement.evicted,
        )
        choices = Choices(str(config.directories.spool))
        self._admission = Admission(self.gate, choices, config.concurrency)
        self._answers = Answers(
            self.backlog, self.gate, self._settlement, random, batched=self._batched
        )
        self._screening = Screening(self.backlog, self._settlement, strict=config.strict)
        self._rate = Rate(config.max_events_per_second)
        self._under_way: dict[int, Sent] = {}
        self._tickets = 0
        self._rings = Rings()
        self._rung = True
        self._rung_at = -math.inf
        self._hurried = False
        self._set_aside = 0
        self._stop_asked = False

    @property
    def _batched(self) -> bool:
        return self._sink.shape.batch is not None

    def put(self, signal: Signal) -> None:
        """Let the engine know something; from any thread or a signal handler."""
        self._stop_asked = self._stop_asked or signal is Signal.STOP
        self._carrier.put(signal)

    def ring(self, name: str = "") -> None:
        """Say that the file `name` in the spool has changed, or that anything has.

        May be called from any thread and any number of times.
        """
        self._rings.note(name)
        if not self._rung:
            self._rung_at = time.monotonic()
            self._rung = True
            self._carrier.put(Signal.LOOK)

    @property
    def counters(self) -> Counters:
        """What became of events since the engine started."""
        return self._settlement.counters

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
        if self._answers.next_due is not None:
            moments.append(self._answers.next_due)
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
        self.permission.expire()
        if self._may_send() and (self._lookout.shared or now >= self.gate.closed_until):
            self._answers.resume(now)
            if now >= self._lookout.next_look:
                self._rung = False
                self._rings.take()
                self._look(now, None)
            self._send(now)
            # After sending: the last answer of a segment may have come with the ring, or after it.
            if self._rung and self._ring_due <= now:
                self._rung = False
                self._look(now, self._rings.take())
                self._send(now)
        self._settlement.save_if_due(now)
        return self._patience(now)

    @property
    def _ring_due(self) -> float:
        due = self._lookout.answers_ring(exhausted=self.backlog.exhausted)
        return math.inf if due is None else max(due, self._rung_at + self._batch_seconds)

    def _look(self, now: float, names: frozenset[str] | None) -> None:
        self._settlement.retry_if_due(now)
        sealing = Kind.SEALED in self.permission.sendable
        self._lookout.look(
            self.backlog, now, time.time(), names, sealing=sealing, doubtful=self._is_doubtful
        )
        self.permission.expire()  # what was found may be younger than the last answer

    def _is_doubtful(self, owner: Owner) -> bool:
        return self.gate.of(owner).trouble is not None

    def _may_send(self) -> bool:
        """Ask for consent, let the backlog know, and tell whether there is any."""
        if self.permission.is_old():
            self.backlog.allow(self.permission.ask())
            self.backlog.doubt()
        return bool(self.permission.lately)

    def _send(self, now: float) -> None:
        admit = partial(self._admission.admits, now=now)
        self._set_aside = 0
        while not self._admission.full and self._rate.allowance(now) and self._may_send():
            item = self.backlog.take(admit)
            if item is None:
                break
            room = self._admission.room(item.reading.turn, now)
            more = self.backlog.take_read(min(room, self._rate.allowance(now)) - 1)
            self._deal_with(item, now)
            stopped = False
            for each in more:
                stopped = stopped or not self._goes_on(each, now)
                if stopped:
                    self.backlog.again(each)
                else:
                    self._deal_with(each, now)
            if self._interrupted:
                break
        self._settlement.remove_finished()

    @property
    def _interrupted(self) -> bool:
        """Whether answers, or a stop, have waited long enough for a segment of bad lines."""
        return self._hurried or self._stop_asked

    def _goes_on(self, item: Item, now: float) -> bool:
        """Tell whether nothing has come between this piece and the one before it."""
        if self._interrupted or not self._rate.allowance(now):
            return False
        return not self.permission.is_old() or self._is_still_wanted(item)

    def _is_still_wanted(self, item: Item) -> bool:
        """Ask again: who switches telemetry off, or deletes a segment, means the next request."""
        allowed = self._may_send() and item.reading.kind in self.permission.lately
        return allowed and not item.reading.deleted

    def _deal_with(self, item: Item, now: float) -> None:
        if self.permission.is_old() and not self._is_still_wanted(item):
            self.backlog.again(item)
        elif self._screening.keeps_back(item):
            self._set_aside += 1
            self._hurried = self._set_aside >= _MOST_SET_ASIDE
        else:
            self._rate.took(item.piece.events)
            self._tickets += 1
            self._under_way[self._tickets] = Sent(item, now)
            self._admission.sent(item.reading.turn)
            self._carrier.submit(self._tickets, *self._sink.request(item.piece))

    def _patience(self, now: float) -> float:
        """Return the seconds until there is something to do without a message."""
        if not self.permission.lately:
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
            if not self._rate.allowance(now) and not self.backlog.empty:
                patience = min(patience, self._rate.opens_at(now) - now)
        if self._settlement.save_due is not None:
            patience = min(patience, self._settlement.save_due - now)
        return max(0.0, patience)

    def wait(self, timeout: float) -> None:
        """Wait at most `timeout` seconds for something to happen and act on it."""
        messages = self._carrier.collect(timeout)
        if not messages:
            return
        now, today = time.monotonic(), datetime.now(tz=UTC)
        for message in messages:
            if isinstance(message, Delivered):
                sent = self._under_way.pop(message.ticket)
                self._admission.ended(sent.item.reading.turn)
                self._answers.act(sent, message.result, now, today, alone=not self._under_way)
            elif message is Signal.STOP:
                self.stopping = True

    def shut_down(self) -> None:
        """Wait for what is under way, at most `GRACE_SECONDS`, then save and close."""
        deadline = time.monotonic() + GRACE_SECONDS
        while self._under_way and (left := deadline - time.monotonic()) > 0:
            self.wait(left)
        self._settlement.remove_finished()
        self._settlement.save(time.monotonic())
        self.backlog.close()
        self._settlement.forget()
        self._answers.forget()

    def retire(self) -> None:
        """Let go of the connections: this engine is not used again."""
        self._carrier.end()
