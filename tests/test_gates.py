"""A gate for each owner: trouble with the events of one keeps no other waiting."""

from __future__ import annotations

from uploader.gates import Gates
from uploader.outcome import Outcome, Verdict

HELD = Outcome(Verdict.HOLD, "HTTP 401", "check the setting", status=401)


def gates() -> Gates:
    """Return gates that wait as long as they can."""
    return Gates(4, lambda: 0.999)


def test_one_owners_trouble_closes_no_other_gate() -> None:
    """The other may send as much as ever."""
    subject = gates()
    subject.failed(HELD, 10.0, sent_at=9.0, owner=1)

    assert subject.of(1).allowance(11.0) == 0
    assert subject.of(2).allowance(11.0) == Gates(4, lambda: 0.0).of(2).allowance(11.0) > 0


def test_trouble_is_only_what_nobody_elses_success_disproves() -> None:
    """`status` does not say that the endpoint is down while it takes the events of others."""
    subject = gates()
    subject.failed(HELD, 10.0, sent_at=9.0, owner=1)
    assert subject.trouble == HELD
    assert subject.closed_until > 10.0

    subject.answered(11.0, [10.5], owner=2)
    assert subject.trouble is None
    assert subject.closed_until == 0.0

    subject.failed(HELD, 12.0, sent_at=11.5, owner=2)
    assert subject.trouble == HELD


def test_a_private_spool_has_one_gate() -> None:
    """Its own success while it waits does not end the wait."""
    subject = gates()
    subject.failed(HELD, 10.0, sent_at=9.0)
    subject.answered(10.5, [9.5])

    assert subject.trouble == HELD
    assert subject.closed_until == subject.of(None).closed_until > 10.5
    assert subject.private is subject.of(None)


def test_each_owner_has_a_concurrency_of_its_own() -> None:
    """Answers to one user's events say nothing about how many of another's go at once."""
    subject = Gates(16, lambda: 0.5)
    alone = subject.of(2).allowance(9.0)

    for now in range(10, 16):
        for _ in range(subject.of(1).allowance(now)):
            subject.answered(now, [now - 1], owner=1)

    assert subject.of(1).allowance(16.0) == 16
    assert subject.of(2).allowance(16.0) == subject.private.allowance(16.0) == alone
