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

from telemetry_spool import paths
from telemetry_spool.consent import Consent, ConsentReader, Mode
from telemetry_spool.events import Event, Malformed, parse
from telemetry_spool.listing import SegmentFile, list_segments
from telemetry_spool.writer_settings import LARGEST_EVENT_BYTES
from uploader.backlog import Backlog, Item
from uploader.config import UploaderConfig
from uploader.gate import Gate
from uploader.lanes import Delivered, Lanes
from uploader.outcome import Outcome, Verdict, judge
from uploader.records import DeadLetters, Receipts
from uploader.sealing import seal_active
from uploader.suspects import Suspects
from uploader.transport import TransportFactory

SAVE_SECONDS = 1.0
"""Progress is written at most this often: a crash sends again what was accepted since."""

GRACE_SECONDS = 5.0
"""How long a stop waits for requests under way: service managers wait longer before they kill."""

# How soon a segment is tried again that a writer held, the first time; then twice as long.
_SEAL_AGAIN_SECONDS = 0.1

# Segments that are enough to find out whether the endpoint takes events.
_PROBES = 4

_log = logging.getLogger(__name__)


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


@dataclass(frozen=True, slots=True)
class _Verdict:
    """An event that goes to the dead letters: `outcome` is None if it was not sent."""

    item: Item
    reason: str
    outcome: Outcome | None


@dataclass(slots=True)
class Counters:
    """What became of events since the engine started."""

    accepted: int = 0
    rejected: int = 0
    last_accepted_at: datetime | None = None


class Engine:
    """Drains a spool. The caller holds the spool's uploader lock."""

    def __init__(
        self, config: UploaderConfig, connect: TransportFactory, random: Callable[[], float]
    ) -> None:
        """Use `connect` for each lane's transport; `random` returns a number in [0, 1)."""
        self.mailbox: SimpleQueue[Message] = SimpleQueue()
        self.counters = Counters()
        self.gate = Gate(config.concurrency, random)
        self.backlog = Backlog(limit=LARGEST_EVENT_BYTES)
        self.stopping = False
        self._config = config
        self._consent = ConsentReader(config.mode_file)
        self._lanes = Lanes(config.concurrency, connect, self.mailbox.put)
        self._receipts = Receipts(config.directories, config.endpoint, keep_sent=config.keep_sent)
        self._dead_letters = DeadLetters(config.directories)
        self._under_way: dict[int, _Request] = {}
        self._tickets = 0
        self._rung = True
        self._unlisted = False
        self._unsealed = False
        self._seal_again = _SEAL_AGAIN_SECONDS
        self._next_rescan = 0.0
        self._next_retry = 0.0
        self._undecided: list[_Verdict] = []
        self._suspects = Suspects(random)
        self._saved_at = 0.0
        self._unsaved = False

    def ring(self) -> None:
        """Say that the spool has changed. May be called from any thread and any number of times."""
        if not self._rung:
            self._rung = True
            self.mailbox.put(Signal.LOOK)

    @property
    def consent(self) -> Consent:
        """The consent of this moment."""
        return self._consent.now()

    @property
    def idle(self) -> bool:
        """Whether everything that was found has been dealt with."""
        return self.backlog.empty and not self._under_way and not self._rung

    @property
    def kept(self) -> bool:
        """Whether something that was found could not be dealt with, though the endpoint works."""
        return self._unlisted or self._unsealed or self.backlog.kept

    @property
    def resumes_at(self) -> float | None:
        """When an event that waits by itself is tried again; None if there is none."""
        return self._suspects.next_due

    def work(self) -> float:
        """Send what may be sent; return the seconds until there is more to do without a message."""
        now = time.monotonic()
        if self.consent.mode is Mode.ON and now >= self.gate.closed_until:
            for item in self._suspects.due(now):
                item.reading.again(item.line)
            if now >= self._next_rescan:
                self._look(now)
            self._send(now)
            # After sending: the last answer of a segment may have come with the ring, or after it.
            if self._rung and self.backlog.exhausted:
                self._look(now)
                self._send(now)
        self._save_if_due(now)
        return self._patience(now)

    def _look(self, now: float) -> None:
        self._rung = False
        self._next_rescan = now + self._config.rescan_interval
        if now >= self._next_retry:
            # By time only: a sign from the file system may come from the very attempt.
            self._next_retry = now + self._config.rescan_interval
            self._retry()
        directory = str(self._config.directories.spool)
        try:
            segments = list_segments(directory)
            waiting = sum(segment.kind is paths.Kind.SEALED for segment in segments)
            # While the endpoint is doubtful a few segments are probes enough: sealing more would
            # turn an offline month into a file for every attempt. One is not enough: what is left
            # of it may be the one event that the endpoint stumbles over.
            if waiting < _PROBES or not self.gate.trouble:
                segments = self._seal(directory, segments, now)
        except OSError as error:
            _log.warning("%s cannot be listed: %s", directory, error.strerror)
            self._unlisted = True
            return
        self._unlisted = False
        self.backlog.refresh(segments)

    def _retry(self) -> None:
        self.backlog.retry()
        undecided, self._undecided = self._undecided, []
        for verdict in undecided:
            self._reject(verdict)

    def _seal(self, directory: str, segments: list[SegmentFile], now: float) -> list[SegmentFile]:
        """Seal what can be sealed; return the segments that there are then."""
        active = sum(bool(found.size) and found.kind is paths.Kind.ACTIVE for found in segments)
        sealed = seal_active(segments, host=paths.host_name(), now=time.time())
        self._unsealed = sealed < active
        if self._unsealed:
            # It was in use a moment ago, and nothing will ring when it is let go.
            self._next_rescan = min(self._next_rescan, now + self._seal_again)
            self._seal_again = min(2 * self._seal_again, self._config.rescan_interval)
        else:
            self._seal_again = _SEAL_AGAIN_SECONDS
        return list_segments(directory) if sealed else segments

    def _send(self, now: float) -> None:
        while len(self._under_way) < self.gate.allowance(now) and self.consent.mode is Mode.ON:
            item = self.backlog.take()
            if item is None:
                break
            event = parse(item.line)
            if isinstance(event, Malformed):
                self._reject(_Verdict(item, event.reason, None))
                if not self.mailbox.empty():
                    break  # a segment of nothing but bad lines keeps no answer and no stop waiting
                continue
            self._tickets += 1
            self._under_way[self._tickets] = _Request(item, event, now)
            self._lanes.submit(self._tickets, event)
        self._remove_finished()

    def _patience(self, now: float) -> float:
        """Return the seconds until there is something to do without a message."""
        if self.consent.mode is not Mode.ON:
            patience = self._config.rescan_interval
        elif now < self.gate.closed_until:
            patience = self.gate.closed_until - now
        else:
            patience = self._next_rescan - now
            if self.resumes_at is not None:
                patience = min(patience, self.resumes_at - now)
        if self._unsaved:
            patience = min(patience, self._saved_at + SAVE_SECONDS - now)
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
                self._accept(item, request.event)
            case Verdict.REJECTED:
                self._note_answer(item, now)
                self._reject(_Verdict(item, outcome.reason, outcome))
            case Verdict.RETRY | Verdict.HOLD:
                self._fail(request, outcome, now)

    def _fail(self, request: _Request, outcome: Outcome, now: float) -> None:
        item = request.item
        if self._suspects.failed(item, now):
            _log.info("event %s alone is answered with %s", request.event.id, outcome.reason)
            item.reading.postpone(item.line)
            return
        if self.gate.trouble is None or self.gate.trouble.reason != outcome.reason:
            _log.warning("; ".join(filter(None, (outcome.reason, outcome.remedy))))
        self.gate.failed(outcome, now, sent_at=request.sent_at)
        item.reading.again(item.line)

    def _note_answer(self, item: Item, now: float) -> None:
        self._suspects.answered(item)
        troubled = self.gate.trouble is not None
        self.gate.answered(now)
        if troubled and self.gate.trouble is None:
            _log.info("the endpoint takes events again")

    def _accept(self, item: Item, event: Event) -> None:
        self.counters.accepted += 1
        self.counters.last_accepted_at = datetime.now(tz=UTC)
        self._receipts.accepted(event, self.counters.last_accepted_at)
        item.reading.done(item.line)
        self._unsaved = True

    def _reject(self, verdict: _Verdict) -> None:
        item, now = verdict.item, datetime.now(tz=UTC)
        if not self._dead_letters.write(item.line, verdict.reason, verdict.outcome, now):
            self._undecided.append(verdict)  # sending it again would change nothing
            item.reading.postpone(item.line)
            return
        self.counters.rejected += 1
        item.reading.done(item.line)
        self._unsaved = True

    def _remove_finished(self) -> None:
        finished = self.backlog.finished()
        if finished:
            self._receipts.flush(datetime.now(tz=UTC))
        for reading in finished:
            self.backlog.remove(reading)

    def _save_if_due(self, now: float) -> None:
        if self._unsaved and now - self._saved_at >= SAVE_SECONDS:
            self._save(now)

    def _save(self, now: float) -> None:
        # Receipts first: an event whose progress is saved is never sent, and receipted, again.
        self._receipts.flush(datetime.now(tz=UTC))
        self.backlog.save()
        self._saved_at = now
        self._unsaved = False

    def shut_down(self) -> None:
        """Wait for what is under way, at most `GRACE_SECONDS`, then save and close."""
        deadline = time.monotonic() + GRACE_SECONDS
        while self._under_way and (left := deadline - time.monotonic()) > 0:
            self.wait(left)
        self._remove_finished()
        self._save(time.monotonic())
        self.backlog.close()
        self._undecided.clear()
        self._suspects.forget()
