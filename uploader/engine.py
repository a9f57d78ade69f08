"""The engine: looks for events, sends them, and acts on what comes back.

One thread runs it. Everything it waits for arrives at the carrier: answers, the doorbell of the
watcher, the request to stop. So every wait ends at once when there is reason to.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from telemetry_spool.paths import Kind
from telemetry_spool.writer_settings import LARGEST_EVENT_BYTES
from uploader.carrier import Carrier, Delivered, Signal
from uploader.config import UploaderConfig
from uploader.gates import Gates, Owner
from uploader.lookout import Lookout
from uploader.permission import Permission
from uploader.rings import Rings
from uploader.sending import Sending
from uploader.settlement import Counters, Settlement
from uploader.sink import sink_for
from uploader.turns import Turns

GRACE_SECONDS = 5.0
"""How long a stop waits for requests under way: service managers wait longer before they kill."""


class Engine:
    """Drains a spool. The caller holds the spool's uploader lock."""

    def __init__(
        self, config: UploaderConfig, carrier: Carrier, random: Callable[[], float]
    ) -> None:
        """Send with this carrier; `random` returns a number in [0, 1)."""
        sink = sink_for(config)
        self.gate = Gates(config.concurrency, random)
        self.backlog = Turns(limit=LARGEST_EVENT_BYTES, shape=sink.shape)
        self.permission = Permission(config)
        self.stopping = False
        self._rescan_interval = config.rescan_interval
        self._batch_seconds = 0.0 if sink.shape.batch is None else config.batch_seconds
        self._carrier = carrier
        self._settlement = Settlement(config, self.backlog)
        self._lookout = Lookout(
            config.directories,
            config.rescan_interval,
            config.max_spool_bytes,
            self._settlement.evicted,
        )
        self._sending = Sending(
            config,
            sink,
            carrier,
            backlog=self.backlog,
            gates=self.gate,
            settlement=self._settlement,
            permission=self.permission,
            random=random,
        )
        self._rings = Rings()
        self._rung = True
        self._rung_at = -math.inf

    def put(self, signal: Signal) -> None:
        """Let the engine know something; from any thread or a signal handler."""
        self._sending.interrupted = self._sending.interrupted or signal is Signal.STOP
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
        return not self._sending.under_way and not self._rung and not self._has_due

    @property
    def _has_due(self) -> bool:
        """Whether there are events that can be dealt with now."""
        now = time.monotonic()
        return any(self._sending.admission.is_due(owner, now) for owner in self.backlog.busy())

    @property
    def under_way(self) -> bool:
        """Whether there are requests without an answer."""
        return self._sending.under_way

    @property
    def kept(self) -> bool:
        """Whether something that was found could not be dealt with, though the endpoint works."""
        return self._lookout.kept or self.backlog.kept

    @property
    def resumes_at(self) -> float | None:
        """When what waits by itself is tried again, an event or an owner; None: nothing does."""
        now = time.monotonic()
        moments = self._sending.admission.openings(self.backlog.is_busy, now)
        next_due = self._sending.next_due
        if next_due is not None:
            moments.append(next_due)
        return min(moments, default=None)

    @property
    def closed_until(self) -> float:
        """When the first of those may be sent who have something to send."""
        if self.gate.all_work:
            return self.gate.closed_until
        moments = [self._sending.admission.opens_at(owner) for owner in self.backlog.busy()]
        return min(moments, default=self.gate.closed_until)

    def work(self) -> float:
        """Send what may be sent; return the seconds until there is more to do without a message."""
        now = time.monotonic()
        self._sending.begin_turn()
        if self._sending.is_allowed() and (self._lookout.shared or now >= self.gate.closed_until):
            self._sending.resume(now)
            if now >= self._lookout.next_look:
                self._rung = False
                self._rings.take()
                self._look(now, None)
            self._sending.send(now)
            # After sending: the last answer of a segment may have come with the ring, or after it.
            if self._rung and self._ring_due <= now:
                self._rung = False
                self._look(now, self._rings.take())
                self._sending.send(now)
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

    def _patience(self, now: float) -> float:
        """Return the seconds until there is something to do without a message."""
        if not self.permission.lately:
            patience = self._rescan_interval
        elif self._sending.hurried:
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
            rate_opens_at = self._sending.rate_opens_at(now)
            if rate_opens_at is not None:
                patience = min(patience, rate_opens_at - now)
        if self._settlement.save_due is not None:
            patience = min(patience, self._settlement.save_due - now)
        return max(0.0, patience)

    def wait(self, timeout: float) -> None:
        """Wait at most `timeout` seconds for something to happen and act on it."""
        messages = self._carrier.collect(timeout)
        delivered = [each for each in messages if isinstance(each, Delivered)]
        if delivered:
            self._sending.delivered(delivered)
        if len(delivered) < len(messages) or not messages:
            self.permission.expire()  # something may have happened meanwhile
            self.stopping = self.stopping or Signal.STOP in messages

    def shut_down(self) -> None:
        """Wait for what is under way, at most `GRACE_SECONDS`, then save and close."""
        deadline = time.monotonic() + GRACE_SECONDS
        while self._sending.under_way and (left := deadline - time.monotonic()) > 0:
            self.wait(left)
        self._settlement.remove_finished()
        self._settlement.save(time.monotonic())
        self.backlog.close()
        self._settlement.forget()
        self._sending.forget()

    def retire(self) -> None:
        """Let go of the connections: this engine is not used again."""
        self._carrier.end()
