"""The loss ledger: each lost event is counted once, sooner or later."""

from __future__ import annotations

import fcntl
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Barrier

import pytest

from telemetry_spool.ledger import LossLedger
from telemetry_spool.paths import Directories
from tests.conftest import Place

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


def ledger(place: Place) -> LossLedger:
    """Return the ledger of a root."""
    return LossLedger(Directories(place.root, place.spool))


def test_a_loss_is_a_line_of_the_day(place: Place) -> None:
    """The line says how many, why and when."""
    losses = ledger(place)

    losses.lost(3, "quota", NOON)

    assert [path.name for path in (place.root / "receipts").iterdir()] == ["2026-03-10.jsonl"]
    assert place.ledger() == [
        {"lost": 3, "reason": "quota", "lost_at": "2026-03-10T12:00:00+00:00"}
    ]
    assert not losses.unwritten


def test_what_cannot_be_written_is_kept_and_added_up_by_reason(place: Place) -> None:
    """The next one that can be written brings all of it."""
    losses = ledger(place)
    place.root.write_bytes(b"in the way")
    losses.lost(1, "disk full", NOON)
    losses.lost(2, "disk full", NOON)
    losses.lost(1, "too large", NOON)
    unwritten = losses.unwritten
    place.root.unlink()

    losses.flush(NOON)
    losses.flush(NOON)

    assert unwritten
    assert not losses.unwritten
    assert [(line["reason"], line["lost"]) for line in place.ledger()] == [
        ("disk full", 3),
        ("too large", 1),
    ]


def test_losses_of_threads_at_once_are_each_counted_once(place: Place) -> None:
    """Two threads that write at the same time neither double nor drop a count."""
    losses = ledger(place)
    threads, each = 8, 100
    together = Barrier(threads)

    def lose(thread: int) -> None:
        together.wait()
        for number in range(each):
            losses.lost(1, f"reason {(thread + number) % 3}", NOON)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lose, range(threads)))
    losses.flush(NOON)

    assert sum(place.losses().values()) == threads * each


def test_a_forked_child_does_not_report_its_parents_losses(place: Place) -> None:
    """What waits in memory at a fork is the parent's to write down."""
    losses = ledger(place)
    place.root.write_bytes(b"in the way")
    losses.lost(5, "disk full", NOON)
    place.root.unlink()

    child = os.fork()
    if child == 0:
        losses.lost(1, "child", NOON)
        os._exit(0)
    os.waitpid(child, 0)
    losses.flush(NOON)

    assert place.losses() == {"disk full": 5, "child": 1}


def test_a_loss_waits_for_a_held_file_no_longer_than_an_event_for_its_segment(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A caller of `event()` stands behind it: a stopped reader must not stop a training run."""
    losses = ledger(place)
    losses.lost(1, "first", NOON)
    slept: list[float] = []
    now = iter(range(10**6))
    monkeypatch.setattr("time.sleep", slept.append)
    monkeypatch.setattr("time.monotonic", lambda: next(now) / 1000)

    with (place.root / "receipts" / "2026-03-10.jsonl").open("r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        losses.lost(1, "second", NOON)
    waited = next(now)

    assert losses.unwritten
    assert waited < 100
