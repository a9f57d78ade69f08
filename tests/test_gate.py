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
HELD = Outcome(Verdict.HOLD, "HTTP 401", "check the setting", status=401)


def gate(concurrency: int = 4, *, random: float = 0.5) -> Gate:
    """Return a gate whose random numbers are all the same."""
    return Gate(concurrency, lambda: random)


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


def test_a_new_gate_is_open() -> None:
    """Nothing is known against the endpoint yet."""
    subject = gate(4)

    assert subject.allowance(START) == 4
    assert subject.trouble is None


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
    subject.answered(START + 1)

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
    """After the probe went well everything goes at once again, and the next failure is a first."""
    subject = gate(4)
    fail_rounds(subject, 6)
    now = subject.closed_until

    subject.answered(now)

    assert subject.allowance(now) == 4
    assert subject.trouble is None
    subject.failed(UNAVAILABLE, now + 1, sent_at=now + 0.5)
    assert subject.allowance(now + 1) == 1


def test_an_answer_does_not_cut_a_wait_short() -> None:
    """What the endpoint asked for holds, though a request sent before was accepted meanwhile."""
    subject = gate(4)
    subject.failed(asked_to_wait(30), START, sent_at=START - 1)

    subject.answered(START + 1)

    assert subject.allowance(START + 29) == 0
    assert subject.trouble is not None
    assert subject.allowance(START + 30) == 4


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


def test_429_halves_the_concurrency_once_a_round() -> None:
    """Three of the eight answers say it, and they say the same thing."""
    subject = gate(8)
    for _ in range(3):
        subject.failed(TOO_MANY, START, sent_at=START - 1)

    subject.answered(START + 1)

    assert subject.allowance(START + 1) == 4


def test_429_never_stops_delivery() -> None:
    """Half of one is one."""
    subject = gate(4)
    fail_rounds(subject, 20, TOO_MANY)

    subject.answered(subject.closed_until)

    assert subject.allowance(subject.closed_until) == 2
    fail_rounds(subject, 20, TOO_MANY)
    assert subject.allowance(subject.closed_until) == 1


def test_concurrency_recovers_while_answers_are_good() -> None:
    """One more for each round of answers, and never more than the setting."""
    subject = gate(4)
    fail_rounds(subject, 3, TOO_MANY)
    now = subject.closed_until

    allowances = []
    for _ in range(12):
        subject.answered(now)
        allowances.append(subject.allowance(now))

    assert allowances == [2, 2, 3, 3, 3, 4, 4, 4, 4, 4, 4, 4]


@pytest.mark.parametrize("outcome", [UNAVAILABLE, HELD], ids=["503", "401"])
def test_other_failures_leave_the_concurrency_alone(outcome: Outcome) -> None:
    """Only 429 is about how much is asked at once."""
    subject = gate(4)
    fail_rounds(subject, 5, outcome)

    subject.answered(subject.closed_until)

    assert subject.allowance(subject.closed_until) == 4
