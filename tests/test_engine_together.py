"""Answers that are the same come as one; each request that it is for is dealt with."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from telemetry_spool.segment import event_id
from tests.conftest import Place
from tests.support.carrier import AnsweringCarrier
from uploader import config
from uploader.engine import Engine
from uploader.outcome import Answer, Failure, Trouble

EVENTS = 20
SEGMENTS = 3


def record(place: Place) -> list[bytes]:
    """Seal events in a few segments; return their lines."""
    place.spool.mkdir(parents=True)
    lines = [json.dumps({"event_type": f"E{number}"}).encode() for number in range(EVENTS)]
    for segment in range(SEGMENTS):
        path = place.spool / f"20260101T000000Z-{segment:016x}.jsonl"
        path.write_bytes(b"".join(line + b"\n" for line in lines[segment::SEGMENTS]))
    return lines


def engine_for(place: Place, carrier: AnsweringCarrier, **flags: object) -> Engine:
    """Return an engine that has many requests under way when all goes well."""
    settings = {"concurrency": 64, "endpoint": "http://127.0.0.1:9/"} | flags
    return Engine(config.load(settings, place.environ), carrier, lambda: 0.0)


def work(engine: Engine, turns: int = 40) -> None:
    """Let it work; all that goes out in a turn is answered in one."""
    for _ in range(turns):
        engine.work()
        engine.wait(0)


@pytest.mark.parametrize("flags", [{}, {"sink": "ndjson", "batch_events": 2}], ids=str)
def test_all_are_settled(place: Place, flags: dict[str, object]) -> None:
    """Of however many segments they are."""
    lines = record(place)
    carrier = AnsweringCarrier()
    engine = engine_for(place, carrier, **flags)

    work(engine)

    assert (engine.counters.accepted, engine.under_way) == (EVENTS, False)
    assert place.names() == []
    engine.shut_down()
    receipts = Counter(receipt["id"] for receipt in place.ledger())
    assert receipts == Counter(map(event_id, lines))


def test_all_that_are_refused_are_set_aside(place: Place) -> None:
    """Each by itself."""
    lines = record(place)
    engine = engine_for(place, AnsweringCarrier(Answer(422)))

    work(engine)
    engine.shut_down()

    assert engine.counters.rejected == EVENTS
    assert place.names() == []
    letters = [
        json.loads(letter)
        for path in (place.root / "rejected").iterdir()
        for letter in path.read_bytes().splitlines()
    ]
    assert sorted(json.dumps(letter["event"]).encode() for letter in letters) == sorted(lines)


@pytest.mark.parametrize("answer", [Answer(503), Failure(Trouble.NETWORK, "reset")], ids=str)
def test_all_that_fail_come_back(place: Place, answer: Answer | Failure) -> None:
    """They count as one failure; when the endpoint works again each is sent once more."""
    lines = record(place)
    carrier = AnsweringCarrier()
    engine = engine_for(place, carrier)
    while len(carrier.requests) < EVENTS // 2:
        engine.work()
        engine.wait(0)
    accepted = engine.counters.accepted
    carrier.answer = answer
    engine.work()
    failed = len(carrier.requests) - accepted
    engine.wait(0)

    assert failed > 1
    assert (engine.counters.accepted, engine.under_way) == (accepted, False)
    assert not engine.gate.private.delaying
    carrier.answer = Answer(201)
    work(engine)
    engine.shut_down()

    assert engine.counters.accepted == EVENTS
    assert len(carrier.requests) == EVENTS + failed
    assert {request.body for request in carrier.requests} == {*lines}
    assert place.names() == []
