"""Housekeeping: leftovers of crashes go, what is not ours stays, what is too old is counted."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from telemetry_spool.ledger import LossLedger
from telemetry_spool.letters import DEAD_LETTER_DAYS
from telemetry_spool.paths import Directories
from tests.conftest import Place
from uploader.housekeeping import tidy

STEM = "20260310T120000Z-0123456789abcdef"
HOUR = 3600.0


def put(place: Place, name: str, *, age: float = 0.0) -> Path:
    """Write a file in the spool that was last written to `age` seconds ago."""
    place.spool.mkdir(parents=True, exist_ok=True)
    path = place.spool / name
    path.write_bytes(b"{}\n")
    set_age(path, age)
    return path


def set_age(path: Path, age: float) -> None:
    """Say that a file was last written to `age` seconds ago."""
    moment = time.time() - age
    os.utime(path, (moment, moment))


def tidy_up(place: Place) -> None:
    """Do the housekeeping of a place."""
    directories = Directories(place.root, place.spool)
    tidy(directories, LossLedger(directories))


def day(ago: int) -> str:
    """Return the date so many days ago, as it is in the names of daily files."""
    return f"{datetime.now(tz=UTC) - timedelta(days=ago):%Y-%m-%d}"


@pytest.mark.parametrize(
    "name",
    [f"{STEM}.tmp", f"{STEM}.local.tmp", f"{STEM}.acked.tmp"],
)
def test_what_a_dead_writer_left_goes_after_an_hour(place: Place, name: str) -> None:
    """A writer that lives needs a moment between writing and renaming."""
    put(place, name, age=HOUR - 60)
    tidy_up(place)
    assert place.names() == [name]

    put(place, name, age=HOUR + 60)
    tidy_up(place)
    assert place.names() == []


def test_progress_without_its_segment_goes(place: Place) -> None:
    """The uploader was stopped between the two deletions."""
    put(place, f"{STEM}.acked")
    put(place, "20260310T120001Z-0123456789abcdef.acked")
    put(place, "20260310T120001Z-0123456789abcdef.jsonl")

    tidy_up(place)

    assert place.names() == [
        "20260310T120001Z-0123456789abcdef.acked",
        "20260310T120001Z-0123456789abcdef.jsonl",
    ]


@pytest.mark.parametrize(
    "name",
    [
        "host.1000.active.jsonl",
        "host.1000.local.jsonl",
        f"{STEM}.jsonl",
        f"{STEM}.local.jsonl",
        "uploader.lock",
        "notes.tmp",
        "notes.acked",
        "x.tmp",
        f"{STEM}.jsonl.tmp",
        f"copy of {STEM}.tmp",
        ".nfs0000000000000001",
    ],
)
def test_everything_else_stays(place: Place, name: str) -> None:
    """Files that are not recognised are never deleted, however old they are."""
    put(place, name, age=1000 * 24 * HOUR)

    tidy_up(place)

    assert place.names() == [name]


@pytest.mark.parametrize("in_the_way", [f"{STEM}.tmp", f"{STEM}.acked"])
def test_a_leftover_that_cannot_be_deleted_stops_no_other(place: Place, in_the_way: str) -> None:
    """Somebody made a directory with the name of a leftover."""
    for number in range(20):
        put(place, f"20260310T1200{number:02d}Z-0000000000000000.tmp", age=2 * HOUR)
    (place.spool / in_the_way).mkdir()
    set_age(place.spool / in_the_way, 2 * HOUR)

    tidy_up(place)

    assert place.names() == [in_the_way]


def test_old_receipts_go(place: Place) -> None:
    """What left this machine long ago is nobody's question any more."""
    receipts = place.root / "receipts"
    receipts.mkdir(parents=True)
    put(place, "uploader.lock")
    for ago in (0, 89, 91):
        (receipts / f"{day(ago)}.jsonl").write_bytes(b'{"id": "a"}\n')

    tidy_up(place)

    assert sorted(path.name for path in receipts.iterdir()) == [
        f"{day(89)}.jsonl",
        f"{day(0)}.jsonl",
    ]


def test_old_dead_letters_go_and_are_counted_as_lost(place: Place) -> None:
    """Each was an event that a program had handed over."""
    rejected = place.root / "rejected"
    rejected.mkdir(parents=True)
    put(place, "uploader.lock")
    (rejected / f"{day(0)}.jsonl").write_bytes(b"{}\n")
    (rejected / f"{day(DEAD_LETTER_DAYS + 1)}.jsonl").write_bytes(b"{}\n{}\n{}\n")
    (rejected / "notes.txt").write_bytes(b"mine\n")

    tidy_up(place)

    assert sorted(path.name for path in rejected.iterdir()) == [f"{day(0)}.jsonl", "notes.txt"]
    assert place.losses() == {"dead letters: too old or too many": 3}


def test_a_place_without_directories_is_tidy(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever deleted them meanwhile had a reason; they are not made again."""
    tidy_up(place)

    assert not place.root.exists()
    assert "cannot tidy up" in caplog.text
