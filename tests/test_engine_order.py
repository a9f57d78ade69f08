"""The order in which the engine asks, sends, writes down and forgets."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from queue import SimpleQueue
from unittest.mock import patch

import pytest

from telemetry_spool.consent import Mode, choose
from telemetry_spool.paths import mode_file
from telemetry_spool.segment import event_id
from tests.conftest import DEADLINE_SECONDS, Place
from uploader import config
from uploader.backlog import Backlog
from uploader.carrier import Requests
from uploader.engine import Engine
from uploader.lanes import Lanes
from uploader.outcome import Answer, Failure, Trouble
from uploader.pieces import SINGLE, Piece
from uploader.reading import Reading
from uploader.sink import EventSink

CREATED = Answer(201, "application/json", body=b"{}")


class Wire:
    """A transport that notes what it is given and answers what it is told to."""

    def __init__(self, answer: Callable[[bytes], Answer | Failure] = lambda _: CREATED) -> None:
        self.sent: SimpleQueue[bytes] = SimpleQueue()
        self._answer = answer

    def send(self, body: bytes, headers: Mapping[str, str]) -> Answer | Failure:
        """Note the body and answer."""
        assert headers["Idempotency-Key"] == event_id(body)
        self.sent.put(body)
        return self._answer(body)

    def bodies(self) -> list[bytes]:
        """Return what was sent so far."""
        found = []
        while not self.sent.empty():
            found.append(self.sent.get())
        return found


@contextmanager
def engine(place: Place, wire: Wire, **settings: object) -> Iterator[Engine]:
    """Return an engine over this wire, which is shut down at the end of the block."""
    loaded = config.load(settings, place.environ)
    subject = Engine(loaded, Lanes(loaded.concurrency, lambda: wire), lambda: 0.0)
    try:
        yield subject
    finally:
        subject.shut_down()


def record(place: Place, count: int, padding: int = 0) -> list[bytes]:
    """Record events, larger by so many bytes, and return them."""
    events = [
        json.dumps({"event_type": "RUN", "n": number, "pad": "x" * padding}).encode()
        for number in range(count)
    ]
    for event in events:
        place.open().append(event)
    return events


def drain(subject: Engine) -> None:
    """Let the engine work until it has nothing to do."""
    while True:
        patience = subject.work()
        if subject.idle:
            return
        subject.wait(patience)


def test_consent_is_asked_again_before_a_request_of_the_next_moment(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not once for all that may be under way together: only for what was read together."""
    monkeypatch.setattr("uploader.permission._MOMENT_SECONDS", 0.0)
    events = record(place, 4, padding=SINGLE.block_bytes // 2)
    chosen = mode_file()
    assert chosen is not None
    wire = Wire()
    with engine(place, wire, concurrency="4") as subject:
        requests = EventSink.requests

        def withdraw_after(sink: EventSink, ticket: int, pieces: Sequence[Piece]) -> list[Requests]:
            choose(chosen, Mode.OFF)
            return requests(sink, ticket, pieces)

        with patch.object(EventSink, "requests", withdraw_after):
            subject.work()

    assert wire.bodies() == events[:1]


def test_receipts_are_on_disk_before_progress_is(place: Place) -> None:
    """After a crash in between an event is sent again, and has a receipt at any rate."""
    events = record(place, 2)
    wire = Wire(lambda body: CREATED if body == events[0] else Failure(Trouble.TLS, "no"))
    receipts = []
    save = Reading.save

    def note(reading: Reading) -> None:
        receipts.append([receipt["id"] for receipt in place.ledger()])
        save(reading)

    with patch.object(Reading, "save", note), engine(place, wire, concurrency="1") as subject:
        while subject.gate.trouble is None:
            subject.wait(subject.work())

    assert receipts[0] == [event_id(events[0])]


def test_receipts_are_on_disk_before_a_segment_is_deleted(place: Place) -> None:
    """The same for the last trace of an event."""
    events = record(place, 3)
    receipts = []
    delete = Reading.delete

    def note(reading: Reading) -> None:
        receipts.append({receipt["id"] for receipt in place.ledger()})
        delete(reading)

    with patch.object(Reading, "delete", note), engine(place, Wire()) as subject:
        drain(subject)

    assert receipts == [{event_id(event) for event in events}]


def test_progress_is_saved_at_most_once_a_second(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each save is a file and a rename; a crash sends again what was accepted since the last."""
    record(place, 50)
    clock = 1000.0
    monkeypatch.setattr("uploader.engine.time.monotonic", lambda: clock)
    saved: list[float] = []
    save = Backlog.save

    def note(backlog: Backlog) -> None:
        saved.append(clock)
        save(backlog)

    with patch.object(Backlog, "save", note), engine(place, Wire(), concurrency="1") as subject:
        while subject.counters.accepted < 50:
            clock += 0.1
            subject.work()
            subject.wait(DEADLINE_SECONDS)
        gaps = [later - earlier for earlier, later in pairwise(saved)]

    assert len(saved) >= 4
    assert min(gaps) >= 1.0


def test_a_transport_that_raises_is_a_failed_request(place: Place) -> None:
    """No ticket stays without an answer: the engine would wait for it for ever."""
    events = record(place, 2)
    raised = iter([RuntimeError("a bug")])

    def answer(_: bytes) -> Answer:
        for error in raised:
            raise error
        return CREATED

    wire = Wire(answer)
    with engine(place, wire, concurrency="1") as subject:
        drain(subject)

    assert wire.bodies() == [*events, events[0]]
    assert place.names() == []


def test_a_failed_event_goes_last(place: Place) -> None:
    """Each probe is another event: the trouble may be with the one that failed."""
    events = record(place, 3)
    answers = iter([Failure(Trouble.NETWORK, "refused"), Failure(Trouble.NETWORK, "refused")])
    wire = Wire(lambda _: next(answers, CREATED))
    with engine(place, wire, concurrency="1") as subject:
        drain(subject)

    assert wire.bodies() == [*events, *events[:2]]


def test_the_endpoint_that_works_again_is_said_so(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    """One line for the beginning of trouble, one for its end, whatever the number of attempts."""
    caplog.set_level("INFO", "uploader.announcer")
    record(place, 1)
    answers = iter([Failure(Trouble.NETWORK, "refused")] * 3)
    with engine(place, Wire(lambda _: next(answers, CREATED))) as subject:
        drain(subject)

    assert [said.getMessage() for said in caplog.records] == [
        "refused",
        "the endpoint takes events again",
    ]


def test_a_request_that_fails_now_and_then_is_not_worth_a_line(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    """It is probed again at once, and that works."""
    caplog.set_level("INFO", "uploader")
    events = record(place, 9)
    failed = set(events[::3])

    def answer(body: bytes) -> Answer | Failure:
        if body in failed:
            failed.remove(body)
            return Failure(Trouble.NETWORK, "reset")
        return CREATED

    with engine(place, Wire(answer), concurrency="1") as subject:
        drain(subject)

    assert place.names() == []
    assert caplog.messages == []
