"""What comes between two requests that were to go out together counts for the second."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence

from telemetry_spool.consent import Mode, choose
from telemetry_spool.paths import mode_file
from tests.conftest import Place
from uploader import config
from uploader.carrier import Delivered, Message, Signal
from uploader.engine import Engine
from uploader.outcome import Answer

AT_ONCE = 64
# Consent that was asked for less than a millisecond ago is not asked for again.
A_MOMENT_SECONDS = 0.005


class Watched:
    """A carrier that answers everything well, and tells of each request before the next one."""

    def __init__(self, told: Callable[[int], None], answer: Answer | None = None) -> None:
        self.sizes: list[int] = []
        self._told = told
        self._answer = answer or Answer(200)
        self._messages: list[Message] = []

    def submit(self, ticket: int, body: bytes, headers: Mapping[str, str]) -> None:
        """Answer at once."""
        del headers
        self.sizes.append(body.count(b"\n") or 1)
        self._messages.append(Delivered(ticket, self._answer))
        self._told(len(self.sizes))

    def put(self, signal: Signal) -> None:
        """Deliver a signal."""
        self._messages.append(signal)

    def collect(self, timeout: float) -> Sequence[Message]:
        """Return what there is."""
        del timeout
        messages, self._messages = self._messages, []
        return messages

    def end(self) -> None:
        """Hold nothing."""


def record(place: Place, events: int) -> None:
    """Seal so many events."""
    place.spool.mkdir(parents=True)
    lines = [json.dumps({"event_type": f"E{number}"}) + "\n" for number in range(events)]
    (place.spool / "20260101T000000Z-0000000000000001.jsonl").write_text("".join(lines))


def engine_for(place: Place, carrier: Watched, **flags: object) -> Engine:
    """Return an engine that has many requests under way when all goes well."""
    settings = {"concurrency": AT_ONCE, "endpoint": "http://127.0.0.1:9/"} | flags
    return Engine(config.load(settings, place.environ), carrier, lambda: 0.0)


def work(engine: Engine, turns: int = 30) -> None:
    """Let it work; the first turns find out how much may be under way."""
    for _ in range(turns):
        engine.work()
        engine.wait(0)
    engine.shut_down()


def test_off_counts_from_the_next_request(place: Place) -> None:
    """Though others have been read and were about to go."""
    record(place, 500)
    chosen = mode_file()
    assert chosen is not None

    def told(number: int) -> None:
        if number == 100:
            choose(chosen, Mode.OFF)
            time.sleep(A_MOMENT_SECONDS)

    carrier = Watched(told)
    work(engine_for(place, carrier))

    assert len(carrier.sizes) == 100


def test_a_segment_that_is_deleted_sends_nothing_more(place: Place) -> None:
    """Whoever deletes it means all that was not sent."""
    record(place, 500)

    def told(number: int) -> None:
        if number == 100:
            (segment,) = place.spool.glob("*.jsonl")
            segment.unlink()
            time.sleep(A_MOMENT_SECONDS)

    carrier = Watched(told)
    work(engine_for(place, carrier))

    assert len(carrier.sizes) == 100


def test_no_more_events_go_than_a_second_allows(place: Place) -> None:
    """Small batches count for what is in them; the last one may go over it."""
    record(place, 2000)
    carrier = Watched(lambda _: None)
    flags = {"sink": "ndjson", "batch_events": 50, "max_events_per_second": 100}
    work(engine_for(place, carrier, **flags), turns=3)

    assert 100 <= sum(carrier.sizes) <= 200


def test_a_batch_that_the_endpoint_stumbles_over_is_halved_though_it_is_all_there_is(
    place: Place,
) -> None:
    """A proxy may answer 502 to what is too large for it, and there is nothing else to compare."""
    record(place, 8)
    carrier = Watched(lambda _: None, Answer(502))
    engine = engine_for(place, carrier, sink="ndjson")
    for _ in range(60):
        engine.wait(min(0.02, engine.work()))
    engine.shut_down()

    assert carrier.sizes[:5] == [8, 8, 8, 8, 8]
    assert 4 in carrier.sizes
