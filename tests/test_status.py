"""When the uploader has something new to say in its heartbeat."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from telemetry_spool import heartbeat
from telemetry_spool.heartbeat import Heartbeat
from tests.conftest import Place
from uploader import config
from uploader.engine import Engine
from uploader.lanes import Lanes
from uploader.outcome import Answer, Outcome, Verdict
from uploader.status import StatusFile

HELD = Outcome(Verdict.HOLD, "HTTP 401", "check the setting", status=401)


class Silent:
    """A transport that is never used."""

    def send(self, body: bytes, headers: object) -> Answer:
        """Fail: nothing is to be sent."""
        raise AssertionError((body, headers))


class Told:
    """An engine that has done nothing, and what is said of it."""

    def __init__(self, place: Place) -> None:
        loaded = config.load({}, place.environ)
        place.root.mkdir()
        self.engine = Engine(loaded, Lanes(1, Silent), lambda: 0.5)
        self._status = StatusFile(loaded)
        self._path = loaded.directories.status

    def update(self) -> Heartbeat:
        """Let the status be written if there is something new, and return it."""
        self._status.update(self.engine)
        found = heartbeat.read(self._path)
        assert found is not None
        return found

    def ended(self) -> Heartbeat:
        """Let the last status of a single run be written, and return it."""
        self._status.ended(self.engine)
        found = heartbeat.read(self._path)
        assert found is not None
        return found

    def stopped(self) -> Heartbeat:
        """Let the last status be written, and return it."""
        self._status.stopped(self.engine)
        found = heartbeat.read(self._path)
        assert found is not None
        return found


@pytest.fixture
def told(place: Place) -> Told:
    """Return an engine of which nothing was said yet."""
    return Told(place)


def fail(told: Told, outcome: Outcome, *, at: float) -> None:
    """Let a request fail, sent and failed at this moment of the clock."""
    told.engine.gate.failed(outcome, at, sent_at=at)


def in_a(moment: str | None, *, least: float, most: float) -> bool:
    """Tell whether a moment is so many seconds from now."""
    assert moment is not None
    left = datetime.fromisoformat(moment) - datetime.now(tz=UTC)
    return timedelta(seconds=least) < left < timedelta(seconds=most)


def test_nothing_new_is_not_written_again(told: Told) -> None:
    """A daemon that idles does not write to the disk at every turn."""
    assert told.update() == told.update()


def test_trouble_is_news(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what a person can do about it."""
    monkeypatch.setattr("uploader.status.time.monotonic", lambda: 1000.0)
    told.update()
    fail(told, HELD, at=1000.0)

    said = told.update()

    assert (said.activity, said.reason, said.remedy) == ("held", "HTTP 401", "check the setting")
    assert in_a(said.next_attempt_at, least=600, most=700)


def test_the_next_attempt_is_always_the_next_one(
    told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second failure for the same reason is news, too: its attempt is later."""
    clock = 1000.0
    monkeypatch.setattr("uploader.status.time.monotonic", lambda: clock)
    fail(told, Outcome(Verdict.RETRY, "HTTP 503", retry_after=10.0), at=clock)
    assert in_a(told.update().next_attempt_at, least=5, most=10)

    clock = 1010.0
    fail(told, Outcome(Verdict.RETRY, "HTTP 503", retry_after=500.0), at=clock)

    assert in_a(told.update().next_attempt_at, least=490, most=500)


def test_the_last_word_of_a_single_run_has_its_reason(told: Told) -> None:
    """What it could not send waits for the next one; a person may be needed before."""
    fail(told, HELD, at=0.0)

    said = told.ended()

    assert (said.activity, said.reason, said.remedy) == ("ended", "HTTP 401", "check the setting")


def test_the_last_word_has_the_last_figures(told: Told) -> None:
    """Whatever was said a moment before."""
    told.update()
    told.engine.counters.accepted = 7
    told.engine.counters.rejected = 2

    said = told.stopped()

    assert (said.activity, said.accepted, said.rejected) == ("stopped", 7, 2)
    assert (said.reason, said.remedy, said.next_attempt_at) == ("", "", None)
