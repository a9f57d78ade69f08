"""A short soak: the one that `make soak` runs has 1,000,000 events."""

from __future__ import annotations

from tests.faults.soak import Soak, run
from tests.faults.table import survives


@survives(
    "crash",
    "writers and uploader are killed at random while the endpoint fails one request in five",
    "the collector has exactly the events whose `event()` returned, each whole; the spool is empty",
)
def test_everything_arrives_through_kills_and_faults() -> None:
    """Only an event that was being recorded when its writer was killed may arrive or not."""
    soak = run(Soak(events=3200, writers=16, seed=3, kill_every=160, ahead=640))

    print(soak.figures())  # noqa: T201 - shown when it fails
    assert soak.problems == []
    assert soak.killed["writer"] > 0
    assert soak.killed["uploader"] > 0
    assert len(soak.faults) >= 5
