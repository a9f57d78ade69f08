"""The limit of events a second, by a clock that only the test moves."""

from __future__ import annotations

import pytest

from uploader.rate import Rate

START = 1000.0
"""A moment of the monotonic clock; it is as good as any other."""


def sent_until(rate: Rate, end: float, *, batch: int = 1) -> list[float]:
    """Send a batch whenever an event may be sent; return when each event was."""
    now, sent = START, []
    while now <= end:
        if rate.allowance(now):
            rate.took(batch)
            sent += [now] * batch
        else:
            now = rate.opens_at(now)
    return sent


def test_without_a_limit_everything_may_be_sent_at_once() -> None:
    """That is the default."""
    rate = Rate(None)
    rate.took(10_000_000)

    assert rate.allowance(START) >= 10_000_000
    assert rate.opens_at(START) == START


@pytest.mark.parametrize("limit", [0.01, 0.5, 1.0, 3.0, 7.7, 1000.0, 33_333.3])
def test_in_the_long_run_the_limit_holds(limit: float) -> None:
    """What is allowed in a time is sent, and at most a second's worth more."""
    seconds = 1000.0 if limit < 10 else 3.0

    sent = len(sent_until(Rate(limit), START + seconds))

    assert limit * seconds <= sent + 1
    assert sent <= limit * seconds + max(1.0, limit) + 1


@pytest.mark.parametrize("limit", [0.5, 4.0, 2500.0])
@pytest.mark.parametrize("pause", [0.0, 10.0, 1e6])
def test_a_pause_saves_up_no_more_than_a_second(limit: float, pause: float) -> None:
    """An endpoint that is to get few events gets no flood after a quiet night."""
    rate = Rate(limit)
    rate.allowance(START)

    assert rate.allowance(START + pause) == max(1, int(limit))


def test_an_event_may_be_sent_when_it_was_said_that_it_may() -> None:
    """Whoever waits until then has not to wait again because of a rounding error."""
    rate = Rate(3.0)
    now = 123_456_789.1
    for _ in range(10_000):
        while rate.allowance(now):
            rate.took(1)
        opens_at = rate.opens_at(now)
        assert opens_at > now
        now = opens_at
        assert rate.allowance(now) == 1


def test_a_batch_that_is_more_than_a_second_allows_is_waited_for_afterwards() -> None:
    """It cannot be sent in parts, and is not held back for ever."""
    rate = Rate(10.0)
    assert rate.allowance(START) == 10

    rate.took(100)

    assert rate.allowance(START + 9.0) == 0
    assert rate.opens_at(START) == pytest.approx(START + 9.1)
    assert rate.opens_at(START + 5.0) == pytest.approx(START + 9.1)
    assert rate.allowance(START + 9.1) == 1


def test_batches_keep_the_limit_too() -> None:
    """In the long run, as many events are sent as one by one."""
    sent = sent_until(Rate(20.0), START + 1000.0, batch=500)

    assert 20_000 <= len(sent) <= 20_000 + 20 + 500


def test_asking_often_makes_no_events() -> None:
    """Time is counted once."""
    rate = Rate(1.0)
    assert rate.allowance(START) == 1
    rate.took(1)

    allowances = [rate.allowance(START + tenth / 10) for tenth in range(11)]

    assert allowances == [0] * 10 + [1]
