"""SIGKILL at every change that an uploader makes; then a new writer, and a new uploader."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Place
from tests.faults.crash_checks import (
    NEXT,
    Attempt,
    Crashes,
    Scenario,
    check_directory,
    check_requests,
    event,
    segment_name,
    write_segment,
)
from tests.faults.crash_points import CrashServer, crash_server_or_skip
from tests.faults.table import survives
from tests.support.endpoint import CREATED, Answer, Endpoint, Request

server = pytest.fixture(crash_server_or_skip, scope="module")


@pytest.fixture
def crashes(server: CrashServer, tmp_path: Path) -> Iterator[Crashes]:
    """Return what makes the attempts."""
    with Endpoint() as endpoint:
        yield Crashes(server, endpoint, tmp_path)


def is_event(line: str) -> bool:
    """Tell whether a line is one JSON object."""
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def check(attempt: Attempt, stored: list[str]) -> None:
    """All that was stored is accepted, and what was saved as accepted is not sent again."""
    check_requests(attempt)
    assert set(attempt.accepted) == {*stored, NEXT}
    resent = Counter(request.body.decode() for request in attempt.again)
    assert resent == Counter([*filter(is_event, attempt.pending), NEXT])
    check_directory(attempt)
    assert attempt.lost() == 0


@survives(
    "crash",
    "an uploader dies while it seals, sends, writes receipts and deletes a segment",
    "every event is delivered; again only what was not saved yet, under the same key",
)
def test_draining_an_active_segment(crashes: Crashes) -> None:
    """The way of an event from the active segment to the receipt."""
    events = [event(1), event(2), event(3)]

    def prepare(place: Place) -> None:
        for line in events:
            place.open().append(line.encode())

    def check_drained(attempt: Attempt) -> None:
        check(attempt, events)
        if attempt.crashed.done:
            assert attempt.pending == []

    assert crashes.everywhere(Scenario("drain", prepare), check_drained) > 30


@survives(
    "crash",
    "an uploader dies while it drains several segments, one with progress from before",
    "every event is delivered; again only what was not saved yet, under the same key",
)
def test_draining_segments_with_progress(crashes: Crashes) -> None:
    """An event accepted in an earlier life is not sent again, one between two such is."""
    events = [event(number) for number in range(1, 7)]
    starts = [sum(len(line) + 1 for line in events[:index]) for index in range(3)]

    def prepare(place: Place) -> None:
        segment = write_segment(place, 1, *events[:3])
        progress = f"{starts[1]} {starts[2]}\n"  # all before the second line, and the third
        segment.with_suffix(".acked").write_text(progress, encoding="utf-8")
        write_segment(place, 2, *events[3:5])
        write_segment(place, 3, *events[5:])

    crashes.everywhere(
        Scenario("drain", prepare),
        lambda attempt: check(attempt, [events[1], *events[3:]]),
    )


@survives(
    "crash",
    "an uploader dies while it saves the progress of requests that overtook another",
    "every event is delivered; again only what was not saved yet, under the same key",
)
def test_saving_progress_with_overtaking(crashes: Crashes) -> None:
    """The first event is held, the ones behind it are accepted and not sent again."""
    events = [event(number) for number in range(1, 5)]

    def answer(request: Request, _: int) -> Answer:
        return Answer(401, delay=0.1) if request.body.decode() == events[0] else CREATED

    def check_held(attempt: Attempt) -> None:
        check(attempt, events)
        if attempt.crashed.done:
            assert attempt.crashed.returned == ["kept"]
            overtook = {request.body.decode() for request in attempt.first} - {events[0]}
            assert overtook
            assert attempt.pending == [line for line in events if line not in overtook]

    crashes.everywhere(
        Scenario("drain", lambda place: _segment_of(place, events), answer=answer), check_held
    )


def _segment_of(place: Place, events: list[str]) -> None:
    write_segment(place, 1, *events)


@survives(
    "crash",
    "an uploader dies while the endpoint fails and it tries again",
    "every event is delivered; again only what was not saved yet, under the same key",
)
def test_trying_again(crashes: Crashes) -> None:
    """A failure is no progress."""
    events = [event(number) for number in range(1, 4)]

    def answer(request: Request, times: int) -> Answer:
        return Answer(503) if request.body.decode() == events[1] and times == 0 else CREATED

    crashes.everywhere(
        Scenario("drain", lambda place: _segment_of(place, events), answer=answer),
        lambda attempt: check(attempt, events),
    )


@survives(
    "crash",
    "an uploader dies while it writes dead letters",
    "every line is delivered or among the dead letters, whole",
)
def test_dead_letters(crashes: Crashes) -> None:
    """A line that is no event, and an event that the endpoint does not want."""
    bad, unwanted, good = '{"event_type": "HA', event(1), event(2)

    def answer(request: Request, _: int) -> Answer:
        return Answer(400) if request.body.decode() == unwanted else CREATED

    def check_letters(attempt: Attempt) -> None:
        check_requests(attempt)
        letters = [
            letter.get("raw") or json.dumps(letter["event"]) for letter in attempt.rejected()
        ]
        assert {*attempt.accepted, *letters} == {bad, unwanted, good, NEXT}
        assert set(letters) <= {bad, unwanted}
        assert bad in letters
        resent = Counter(request.body.decode() for request in attempt.again)
        assert resent == Counter([*filter(is_event, attempt.pending), NEXT])
        check_directory(attempt)

    crashes.everywhere(
        Scenario("drain", lambda place: _segment_of(place, [bad, unwanted, good]), answer=answer),
        check_letters,
    )


@survives(
    "crash",
    "an uploader dies while it tidies up",
    "what was to go goes the next time, what was to stay stays",
)
def test_tidying_up(crashes: Crashes) -> None:
    """Receipts and dead letters of long ago, and what others left behind when they died."""
    old, newer = "2001-01-01.jsonl", "2011-01-01.jsonl"
    leftover = segment_name(1).replace(".jsonl", ".tmp")
    orphan = segment_name(2).replace(".jsonl", ".acked")
    receipt = {"id": hashlib.sha256(b"").hexdigest(), "sent_at": "2011-01-01T00:00:00+00:00"}

    def prepare(place: Place) -> None:
        place.spool.mkdir(parents=True)
        (place.spool / leftover).write_text(event(8), encoding="utf-8")
        (place.spool / orphan).write_text("17\n", encoding="utf-8")
        for directory, line in (("receipts", receipt), ("rejected", {"raw": "x"})):
            (place.root / directory).mkdir()
            for name in (old, newer):
                (place.root / directory / name).write_text(f"{json.dumps(line)}\n" * 2)

    def check_tidy(attempt: Attempt) -> None:
        check_requests(attempt)
        assert attempt.accepted == {NEXT: 1}
        check_directory(attempt)
        letters = sorted(path.name for path in (attempt.place.root / "rejected").iterdir())
        assert letters == [newer]
        assert attempt.lost() == 2 or (attempt.lost() == 0 and not attempt.crashed.done)

    crashes.everywhere(Scenario("drain", prepare), check_tidy)
