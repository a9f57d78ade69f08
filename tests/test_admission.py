"""Whose event may be sent now, and what finding that out costs."""

from __future__ import annotations

from pathlib import Path

import pytest

from telemetry_spool.spool import utc_now
from uploader.admission import Admission
from uploader.choices import Choices
from uploader.gates import Gates, Owner
from uploader.outcome import Failure, Outcome, Trouble, judge

LANES = 4


@pytest.fixture
def gates() -> Gates:
    """Return gates that everybody may pass; the endpoint is known to take much at once of 1."""
    gates = Gates(LANES, lambda: 0.5)
    gates.answered(-1.0, [-2.0] * (2 * LANES), owner=1)
    return gates


@pytest.fixture
def admission(gates: Gates, tmp_path: Path) -> Admission:
    """Return admission to a drop box in which nobody has chosen anything."""
    return Admission(gates, Choices(str(tmp_path)), LANES)


def down() -> Outcome:
    """Return what a request comes to that nobody answers."""
    return judge(Failure(Trouble.NETWORK, "nobody is there"), utc_now())


def test_a_user_leaves_a_lane_to_others(admission: Admission) -> None:
    """Requests that are never answered must not take them all."""
    for _ in range(LANES - 1):
        assert admission.admits(1, 0.0)
        admission.sent(1, 1)

    assert not admission.admits(1, 0.0)
    assert admission.admits(2, 0.0)
    assert not admission.full
    admission.sent(2, 1)
    assert admission.full


def test_only_those_who_wait_are_looked_at(admission: Admission, gates: Gates) -> None:
    """With thousands of users, each event would otherwise cost a look at all of them."""
    asked: list[Owner] = []
    for owner in range(1000):
        gates.answered(0.0, [0.0], owner)
    for now in (1.0, 2.0):
        gates.failed(down(), now, sent_at=now, owner=7)
        gates.failed(down(), now, sent_at=now, owner=8)

    def is_busy(owner: Owner) -> bool:
        asked.append(owner)
        return owner == 7

    assert admission.openings(is_busy, 2.0) == [gates.of(7).closed_until]
    assert sorted(filter(None, asked)) == [7, 8]
    assert admission.openings(is_busy, gates.of(7).closed_until + 3600.0) == []
