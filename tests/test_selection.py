"""Which events a person means."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from telemetry_spool.entries import Entry, State, of_line
from telemetry_spool.segment import Line
from telemetry_spool.selection import Selection, parse_moment
from tests.support.events import event

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)


def entry(**chosen: str) -> Entry:
    """Return the entry of an event."""
    line = event(**chosen)
    return of_line(Line(0, len(line) + 1, line), State.PENDING, "file")


@pytest.mark.parametrize(
    ("selection", "admitted"),
    [
        (Selection(), True),
        (Selection(types=("RUN_ENTER",)), True),
        (Selection(types=("run_*",)), True),
        (Selection(types=("LEAVE", "RUN_?NTER")), True),
        (Selection(types=("RUN",)), False),
        (Selection(sources=("abc",)), True),
        (Selection(sources=("ABC",)), True),
        (Selection(sources=("bc",)), False),
        (Selection(clusters=("def", "x")), True),
        (Selection(clusters=("abc",)), False),
        (Selection(states=frozenset({State.PENDING})), True),
        (Selection(states=frozenset({State.SENT, State.LOCAL})), False),
        (Selection(since=NOW), True),
        (Selection(since=NOW + timedelta(seconds=1)), False),
        (Selection(until=NOW + timedelta(seconds=1)), True),
        (Selection(until=NOW), False),
        (Selection(types=("RUN_ENTER",), sources=("x",)), False),
    ],
)
def test_everything_that_is_asked_for_must_hold(selection: Selection, admitted: bool) -> None:
    """Alternatives within one filter, all filters together."""
    one = entry(event_type="RUN_ENTER", source="abc1", cluster="def2", date=NOW.isoformat())

    assert selection.admits(one) is admitted


@pytest.mark.parametrize("date", ["", "yesterday", "9999-99-99"])
def test_an_event_without_a_date_is_of_no_time(date: str) -> None:
    """A purge by age must not take what may be new."""
    undated = entry(date=date)

    assert Selection().admits(undated)
    assert not Selection(until=NOW).admits(undated)
    assert not Selection(since=NOW - timedelta(days=1000)).admits(undated)


def test_dates_of_other_zones_are_compared_as_moments() -> None:
    """Noon in UTC is two o'clock in Berlin's summer."""
    assert Selection(since=NOW).admits(entry(date="2026-03-10T14:00:00+02:00"))
    assert not Selection(since=NOW).admits(entry(date="2026-03-10T13:59:59+02:00"))
    assert Selection(since=NOW).admits(entry(date="2026-03-10T12:00:00"))


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-03-10", datetime(2026, 3, 10, tzinfo=UTC)),
        ("2026-03-10T06:30", datetime(2026, 3, 10, 6, 30, tzinfo=UTC)),
        ("2026-03-10T06:30+01:00", datetime(2026, 3, 10, 5, 30, tzinfo=UTC)),
        ("7d", NOW - timedelta(days=7)),
        ("12H", NOW - timedelta(hours=12)),
        ("30m", NOW - timedelta(minutes=30)),
        (" 2w ", NOW - timedelta(weeks=2)),
    ],
)
def test_a_moment_is_a_date_a_time_or_an_age(text: str, moment: datetime) -> None:
    """As people write it."""
    assert parse_moment(text, NOW) == moment


def test_the_last_day_is_included() -> None:
    """Who says "until Tuesday" means Tuesday too; who names an hour means it."""
    assert parse_moment("2026-03-10", NOW, end=True) == datetime(2026, 3, 11, tzinfo=UTC)
    assert parse_moment("2026-03-10T06:00", NOW, end=True) == datetime(2026, 3, 10, 6, tzinfo=UTC)
    assert parse_moment("1d", NOW, end=True) == NOW - timedelta(days=1)


@pytest.mark.parametrize("text", ["", "soon", "7", "7y", "-1d", "2026-13-01", "100000w", "d"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    """Nothing is guessed."""
    with pytest.raises(ValueError, match=r".*"):
        parse_moment(text, NOW)
