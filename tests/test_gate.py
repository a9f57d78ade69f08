"""The gate: when the endpoint may be tried, and with how many requests at once."""

from __future__ import annotations

import pytest

from uploader.backoff import ASKED_SECONDS, BASE_SECONDS, CAP_SECONDS
from uploader.gate import Gate
from uploader.outcome import Outcome, Verdict

START = 1000.0
"""A moment of the monotonic clock; it is as good as any other."""

UNAVAILABLE = Outcome(Verdict.RETRY, "HTTP 503", status=503)
TOO_MANY = Outcome(Verdict.RETRY, "HTTP 429", status=429)
NO_ANSWER = Outcome(Verdict.RETRY, "no answer within 60 s")
HELD = Outcome(Verdict.HOLD, "HTTP 401", "check the setting", status=401)


def gate(concurrency: int = 4, *, random: float = 0.5) -> Gate:
    """Return a gate whose random numbers are all the same."""
    return Gate(concurrency, lambda: random)


def answer(subject: Gate, rounds: int = 1, *, begins: float = START) -> None:
    """Let rounds of as many requests as may be under way go well, each a second long."""
    for now in range(rounds):
        for _ in range(subject.allowance(begins + now)):
            subject.answered(begins + now, [begins + now - 1])


def asked_to_wait(seconds: float) -> Outcome:
    """Return the outcome of a 503 with this `Retry-After`."""
    return Outcome(Verdict.RETRY, "HTTP 503", status=503, retry_after=seconds)


def fail_rounds(subject: Gate, rounds: int, outcome: Outcome = UNAVAILABLE) -> float:
    """Let one probe after the other fail, each sent as soon as it may be; return the last time."""
    now = START
    for _ in range(rounds):
        now = max(now, subject.closed_until)
        subject.failed(outcome, now, sent_at=now)
    return now


@pytest.mark.parametrize(("concurrency", "at_first"), [(1, 1), (2, 2), (4, 2), (64, 2)])
def test_a_new_gate_is_open(concurrency: int, at_first: int) -> None:
    """Nothing is known against the endpoint yet, and not much for it."""
    subject = gate(concurrency)

    assert subject.allowance(START) == at_first
    assert subject.trouble is None


def test_the_concurrency_doubles_with_each_round_of_answers() -> None:
    """A round trip is enough to see that the last ones were not too many."""
    subject = gate(50)

    allowances = []
    for now in range(7):
        allowances.append(subject.allowance(START + now))
        answer(subject, begins=START + now)

    assert allowances == [2, 4, 8, 16, 32, 50, 50]


def test_requests_now_and_then_say_nothing_about_many_at_once() -> None:
    """After a quiet week, a backlog does not meet the endpoint all at once."""
    subject = gate(64)
    for hour in range(1000):
        now = START + 3600 * hour
        subject.answered(now, [now - 1])

    assert subject.allowance(now) <= 4


def test_the_first_failure_is_probed_again_at_once() -> None:
    """One lost request is no outage."""
    subject = gate(4)

    subject.failed(UNAVAILABLE, START, sent_at=START - 1)

    assert subject.allowance(START) == 1
    assert subject.trouble == UNAVAILABLE


def test_failures_of_one_round_count_once() -> None:
    """Four requests that die together are one sign of trouble, not four."""
    subject = gate(4)

    for late in range(4):
        subject.failed(UNAVAILABLE, START + late, sent_at=START - 1)

    assert subject.closed_until <= START + 3
    assert subject.allowance(START + 3) == 1


def test_a_failed_probe_begins_the_next_round() -> None:
    """Its wait is longer than that of the round before, however late the others fail."""
    subject = gate(4, random=0.5)
    subject.failed(UNAVAILABLE, START, sent_at=START - 9)
    subject.failed(UNAVAILABLE, START + 3, sent_at=START - 9)

    subject.failed(UNAVAILABLE, START + 4, sent_at=START + 1)

    assert subject.closed_until == START + 4 + 0.5 * BASE_SECONDS


def test_a_failure_is_never_free() -> None:
    """Even of a round in which another request went well, the next is a probe."""
    subject = gate(4)
    subject.failed(UNAVAILABLE, START, sent_at=START - 1)
    subject.answered(START + 1, [START - 1])

    subject.failed(UNAVAILABLE, START + 2, sent_at=START - 1)

    assert subject.allowance(START + 2) == 1


def test_nothing_is_sent_while_the_gate_is_closed() -> None:
    """The whole endpoint waits, not each event for itself."""
    subject = gate(4)
    fail_rounds(subject, 5)

    assert subject.allowance(subject.closed_until - 1e-6) == 0
    assert subject.allowance(subject.closed_until) == 1


def test_the_wait_doubles_to_the_cap() -> None:
    """An outage of a week costs a request a quarter of an hour."""
    subject = gate(1, random=1.0)
    now, waits = START, []
    for _ in range(18):
        subject.failed(UNAVAILABLE, now, sent_at=now)
        waits.append(subject.closed_until - now)
        now = subject.closed_until

    doubled = [BASE_SECONDS * 2**power for power in range(15)]
    assert waits == pytest.approx([0, *doubled, CAP_SECONDS, CAP_SECONDS])


def test_ten_thousand_failures_are_no_more_than_ten() -> None:
    """A month offline overflows nothing."""
    subject = gate(random=1.0)

    now = fail_rounds(subject, 10_000)

    assert subject.closed_until - now == CAP_SECONDS


def test_an_answer_opens_the_gate() -> None:
    """After the probe went well others follow, and the next failure is a first."""
    subject = gate(4)
    fail_rounds(subject, 6)
    now = subject.closed_until

    subject.answered(now, [now - 1])

    assert subject.allowance(now) == 2
    assert subject.trouble is None
    subject.failed(UNAVAILABLE, now + 1, sent_at=now + 0.5)
    assert subject.allowance(now + 1) == 1


def test_an_answer_does_not_cut_a_wait_short() -> None:
    """What the endpoint asked for holds, though a request sent before was accepted meanwhile."""
    subject = gate(4)
    subject.failed(asked_to_wait(30), START, sent_at=START - 1)

    subject.answered(START + 1, [START - 1])

    assert subject.allowance(START + 29) == 0
    assert subject.trouble is not None
    assert subject.allowance(START + 30) >= 1


@pytest.mark.parametrize(
    ("asked", "waited"),
    [(7.0, 7.0), (CAP_SECONDS, CAP_SECONDS), (0.0, ASKED_SECONDS), (0.3, ASKED_SECONDS)],
)
def test_retry_after_is_honoured(asked: float, waited: float) -> None:
    """It is what the endpoint knows about itself; nothing is ever sent in a tight loop."""
    subject = gate(4)

    subject.failed(asked_to_wait(asked), START, sent_at=START)

    assert subject.closed_until == START + waited
    assert subject.allowance(START + waited) == 1


def test_a_later_failure_does_not_shorten_the_wait() -> None:
    """Of several answers to one round the one that asks for the most time counts."""
    subject = gate(4)
    subject.failed(asked_to_wait(60), START, sent_at=START - 1)

    subject.failed(UNAVAILABLE, START + 1, sent_at=START - 1)

    assert subject.closed_until == START + 60


@pytest.mark.parametrize("random", [0.0, 0.5, 0.999])
def test_an_operators_error_waits_near_the_cap_from_the_first_time(random: float) -> None:
    """Nobody mends a wrong address within a second."""
    subject = gate(4, random=random)

    subject.failed(HELD, START, sent_at=START)

    assert CAP_SECONDS / 2 <= subject.closed_until - START <= CAP_SECONDS
    assert subject.trouble == HELD


FAILURES = [TOO_MANY, UNAVAILABLE, NO_ANSWER]


@pytest.mark.parametrize("outcome", FAILURES, ids=["429", "503", "timeout"])
def test_failures_halve_the_concurrency_once_a_round(outcome: Outcome) -> None:
    """Three of the requests say it, and they say the same thing."""
    subject = gate(16)
    answer(subject, 5)
    assert subject.allowance(START + 5) == 16
    for late in range(3):
        subject.failed(outcome, START + 5 + late / 10, sent_at=START + 4)

    subject.answered(START + 6, [START + 4.5])

    assert subject.allowance(START + 6) == 8


@pytest.mark.parametrize("outcome", FAILURES, ids=["429", "503", "timeout"])
def test_failures_never_stop_delivery(outcome: Outcome) -> None:
    """Half of one is one."""
    subject = gate(4)
    now = fail_rounds(subject, 20, outcome)

    assert subject.allowance(subject.closed_until) == 1
    now = subject.closed_until
    subject.answered(now, [now - 1])
    assert subject.allowance(now) >= 1


def test_after_an_outage_the_concurrency_is_soon_what_it_was() -> None:
    """The endpoint was away, not overloaded: doubling needs six round trips, not sixty."""
    subject = gate(64)
    answer(subject, 10)
    fail_rounds(subject, 20)

    answer(subject, 7, begins=subject.closed_until)

    assert subject.allowance(subject.closed_until + 7) >= 0.7 * 64


@pytest.mark.parametrize("rounds", [1, 5])
def test_an_operators_error_leaves_the_concurrency_alone(rounds: int) -> None:
    """It is not about how much is asked at once."""
    subject = gate(16)
    answer(subject, 5)
    now = fail_rounds(subject, rounds, HELD)
    now = subject.closed_until

    subject.answered(now, [now - 1])

    assert subject.allowance(now) == 16
