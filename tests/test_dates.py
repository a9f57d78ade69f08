"""The date of an event is the text that Flower would write at that moment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from telemetry_spool.dates import Dates

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@given(st.lists(st.integers(0, 4_102_444_800_000_000), min_size=1, max_size=5))
def test_a_date_is_that_of_isoformat(moments: list[int]) -> None:
    """At whichever microsecond, and in whichever order the clock says so."""
    clock = iter([moment * 1000 for moment in moments])
    dates = Dates(lambda: next(clock))

    assert [dates.now() for _ in moments] == [
        (EPOCH + timedelta(microseconds=moment)).isoformat() for moment in moments
    ]


def test_a_full_second_has_no_fraction() -> None:
    """As with `isoformat`; the seconds after it have theirs."""
    clock = iter([1_000_000_000, 1_000_000_999, 1_000_001_000, 2_000_000_000])
    dates = Dates(lambda: next(clock))

    assert [dates.now() for _ in range(4)] == [
        "1970-01-01T00:00:01+00:00",
        "1970-01-01T00:00:01+00:00",
        "1970-01-01T00:00:01.000001+00:00",
        "1970-01-01T00:00:02+00:00",
    ]
