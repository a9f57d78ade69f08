"""What comes between two groups of requests that were to go out together counts for the second."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import pytest

from telemetry_spool.consent import Mode, choose
from telemetry_spool.paths import mode_file
from tests.conftest import Place
from tests.support.carrier import AnsweringCarrier
from uploader import config
from uploader.carrier import Signal
from uploader.engine import Engine
from uploader.outcome import Answer
from uploader.pieces import SINGLE

AT_ONCE = 64
EVENTS = 300
SENT_BEFORE = 100
# Consent that was asked for less than a millisecond ago is not asked for again.
A_MOMENT_SECONDS = 0.005

# What is read together goes out together. Events of half a block and more are read one by one.
sizes = pytest.mark.parametrize("padding", [0, SINGLE.block_bytes // 2], ids=["small", "large"])


def record(place: Place, events: int, padding: int = 0) -> None:
    """Seal so many events, larger by so many bytes."""
    place.spool.mkdir(parents=True)
    pad = "x" * padding
    lines = [f"{json.dumps({'event_type': f'E{n}', 'pad': pad})}\n" for n in range(events)]
    (place.spool / "20260101T000000Z-0000000000000001.jsonl").write_text("".join(lines))


def engine_for(place: Place, carrier: AnsweringCarrier, **flags: object) -> Engine:
    """Return an engine that has many requests under way when all goes well."""
    settings = {"concurrency": AT_ONCE, "endpoint": "http://127.0.0.1:9/"} | flags
    return Engine(config.load(settings, place.environ), carrier, lambda: 0.0)


def work(engine: Engine, turns: int = 30) -> None:
    """Let it work; the first turns find out how much may be under way."""
    for _ in range(turns):
        engine.work()
        engine.wait(0)
    engine.shut_down()


def check_last_group(place: Place, padding: int, happen: Callable[[Engine], None]) -> None:
    """Check that nothing goes out after the group of requests with which something happens."""
    record(place, EVENTS, padding)
    carrier = AnsweringCarrier()
    engine = engine_for(place, carrier)
    last = 0

    def told() -> None:
        nonlocal last
        if not last and len(carrier.requests) >= SENT_BEFORE:
            last = len(carrier.groups)
            happen(engine)
            time.sleep(A_MOMENT_SECONDS)

    carrier.told = told
    work(engine)

    assert last == len(carrier.groups)
    if padding:
        assert len(carrier.requests) == SENT_BEFORE
    else:
        assert SENT_BEFORE <= len(carrier.requests) < SENT_BEFORE + AT_ONCE


def batches(carrier: AnsweringCarrier) -> list[int]:
    """Return how many events each request has."""
    return [request.body.count(b"\n") for request in carrier.requests]


@sizes
def test_off_counts_from_the_next_group(place: Place, padding: int) -> None:
    """Though others have been read and were about to go."""
    chosen = mode_file()
    assert chosen is not None

    check_last_group(place, padding, lambda _: choose(chosen, Mode.OFF))


@sizes
def test_a_segment_that_is_deleted_sends_nothing_more(place: Place, padding: int) -> None:
    """Whoever deletes it means all that was not sent."""

    def delete(_: Engine) -> None:
        (segment,) = place.spool.glob("*.jsonl")
        segment.unlink()

    check_last_group(place, padding, delete)


@sizes
def test_a_stop_counts_from_the_next_group(place: Place, padding: int) -> None:
    """Nobody waits for more than what is under way."""
    check_last_group(place, padding, lambda engine: engine.put(Signal.STOP))


def test_no_more_is_in_a_group_than_was_read_together(place: Place) -> None:
    """A moment passes from one to the next, however many may be under way."""
    record(place, EVENTS, padding=SINGLE.block_bytes // 5)
    carrier = AnsweringCarrier()
    work(engine_for(place, carrier))

    assert len(carrier.requests) == EVENTS
    assert max(map(len, carrier.groups)) == 4


def test_a_rate_is_looked_at_before_each_event(place: Place) -> None:
    """It is exact where a request is one event."""
    record(place, EVENTS)
    carrier = AnsweringCarrier()
    work(engine_for(place, carrier, max_events_per_second=100), turns=10)

    assert {len(group) for group in carrier.groups} == {1}
    assert 100 <= len(carrier.requests) <= 150


def test_no_more_events_go_than_a_second_allows(place: Place) -> None:
    """Small batches count for what is in them; the last one may go over it."""
    record(place, 2000)
    carrier = AnsweringCarrier()
    flags = {"sink": "ndjson", "batch_events": 50, "max_events_per_second": 100}
    work(engine_for(place, carrier, **flags), turns=3)

    assert 100 <= sum(batches(carrier)) <= 200


def test_a_batch_that_the_endpoint_stumbles_over_is_halved_though_it_is_all_there_is(
    place: Place,
) -> None:
    """A proxy may answer 502 to what is too large for it, and there is nothing else to compare."""
    record(place, 8)
    carrier = AnsweringCarrier(Answer(502))
    engine = engine_for(place, carrier, sink="ndjson")
    for _ in range(60):
        engine.wait(min(0.02, engine.work()))
    engine.shut_down()

    assert batches(carrier)[:5] == [8, 8, 8, 8, 8]
    assert 4 in batches(carrier)
