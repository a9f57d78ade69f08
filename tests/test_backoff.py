"""Backoff as a table: how long to wait, whatever the endpoint says and however long it is away."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from uploader.backoff import BASE_SECONDS, CAP_SECONDS, delay, hold_delay, parse_retry_after

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
ALMOST_ONE = 1 - 2**-53
"""The greatest number that `random.random` returns."""


@pytest.mark.parametrize(
    ("failures", "longest"),
    [
        (0, 0),
        (1, 0),
        (2, BASE_SECONDS),
        (3, 2 * BASE_SECONDS),
        (4, 4 * BASE_SECONDS),
        (16, 2**14 * BASE_SECONDS),
        (17, CAP_SECONDS),
        (18, CAP_SECONDS),
        (64, CAP_SECONDS),
        (10_000, CAP_SECONDS),
    ],
)
def test_the_wait_is_anything_up_to_twice_the_one_before(failures: int, longest: float) -> None:
    """Full jitter: uploaders that lost the endpoint together do not come back together."""
    assert delay(failures, lambda: 0.0) == 0.0
    assert delay(failures, lambda: 0.5) == longest / 2
    assert delay(failures, lambda: ALMOST_ONE) == pytest.approx(longest)
    assert delay(failures, lambda: ALMOST_ONE) <= longest


@pytest.mark.parametrize("random", [0.0, 0.5, ALMOST_ONE])
def test_an_operators_error_is_tried_again_near_the_cap(random: float) -> None:
    """Asking often does not mend a wrong address, and the one who mends it should not wait long."""
    assert CAP_SECONDS / 2 <= hold_delay(lambda: random) <= CAP_SECONDS


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        pytest.param(None, None, id="absent"),
        pytest.param("0", 0.0, id="zero"),
        pytest.param("120", 120.0, id="seconds"),
        pytest.param("  5 ", 5.0, id="white space"),
        pytest.param("007", 7.0, id="leading zeros"),
        pytest.param("31536000", CAP_SECONDS, id="a year"),
        pytest.param("9" * 5000, CAP_SECONDS, id="more digits than int takes"),
        pytest.param("-5", None, id="negative"),
        pytest.param("1.5", None, id="fraction"),
        pytest.param("1e3", None, id="exponent"),
        pytest.param("٣", None, id="digits that are not ASCII"),
        pytest.param("", None, id="empty"),
        pytest.param("soon", None, id="a word"),
        pytest.param("Tue, 10 Mar 2026 12:00:30 GMT", 30.0, id="date"),
        pytest.param("Tue, 10 Mar 2026 13:00:30 +0100", 30.0, id="date with an offset"),
        pytest.param("Tue, 10 Mar 2026 12:00:30", 30.0, id="date without a zone"),
        pytest.param("Tuesday, 10-Mar-26 12:00:30 GMT", 30.0, id="RFC 850 date"),
        pytest.param("Tue Mar 10 12:00:30 2026", 30.0, id="asctime date"),
        pytest.param("Mon, 09 Mar 2026 12:00:00 GMT", 0.0, id="date in the past"),
        pytest.param("Wed, 10 Mar 2027 12:00:00 GMT", CAP_SECONDS, id="date in a year"),
        pytest.param("Fri, 31 Dec 9999 23:59:59 GMT", CAP_SECONDS, id="last date there is"),
        pytest.param("Mon, 01 Jan 0001 00:00:00 +1400", 0.0, id="before the first date there is"),
        pytest.param("Tue, 40 Mar 2026 12:00:30 GMT", None, id="no such day"),
        pytest.param("Tue, 10 Mar 99999 12:00:30 GMT", None, id="no such year"),
        pytest.param(f"Tue, 10 Mar {'9' * 30} 12:00:30 GMT", None, id="year beyond C"),
        pytest.param(f"Tue, 10 Mar 2026 12:00:30 +{'9' * 30}", None, id="offset beyond C"),
    ],
)
def test_retry_after_is_seconds_from_now(header: str | None, expected: float | None) -> None:
    """What makes sense is heeded up to the cap, what makes none is as if it were not there."""
    assert parse_retry_after(header, NOW) == expected
