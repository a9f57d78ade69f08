"""Looks at a drop box: how often, and what is said of what cannot be dealt with."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path

import pytest

from telemetry_spool.listing import SegmentFile
from telemetry_spool.paths import Directories
from uploader import lookout
from uploader.lookout import Lookout
from uploader.turns import Turns

MANY = 50
LOOK_SECONDS = 0.2
RESCAN_SECONDS = 30.0


@pytest.fixture
def box(tmp_path: Path) -> Path:
    """Return a drop box of ours."""
    path = tmp_path / "spool"
    path.mkdir()
    path.chmod(0o3733)
    return path


@pytest.fixture
def subject(box: Path) -> Lookout:
    """Return what looks at the box."""
    return Lookout(Directories(box.parent, box), RESCAN_SECONDS, 2**20, lambda *_: None)


def look(subject: Lookout, now: float) -> None:
    """Look as long after the beginning as `now` says."""
    turns = Turns(limit=2**16)
    subject.look(turns, now, time.time(), sealing=True, doubtful=lambda _: False)
    turns.close()


@pytest.mark.parametrize("exhausted", [True, False])
def test_a_long_look_is_followed_by_a_long_pause(
    subject: Lookout, monkeypatch: pytest.MonkeyPatch, *, exhausted: bool
) -> None:
    """Others decide how much there is to look at: whoever goes on ringing stops no delivery."""

    def survey(*_: object) -> list[SegmentFile]:
        ends = time.monotonic() + LOOK_SECONDS
        while time.monotonic() < ends:
            pass
        return []

    monkeypatch.setattr(lookout, "survey", survey)
    monkeypatch.setattr(lookout, "evict", lambda *_: ([], False))
    look(subject, 1000.0)

    answer = subject.answers_ring(exhausted=exhausted)
    assert answer is not None
    assert answer >= 1000.0 + 10 * LOOK_SECONDS
    assert subject.next_look >= answer


def test_segments_that_cannot_be_sealed_do_not_fill_the_log(
    subject: Lookout, box: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is named once in an hour, and not more than a few."""

    def refuse(path: str, **_: bool) -> int:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr("uploader.sealing.open_segment", refuse)
    path = box / f"host.{os.geteuid()}.active.jsonl"
    path.write_bytes(b"{}\n")
    os.utime(path, (1, 1))
    with caplog.at_level(logging.WARNING):
        for now in range(1000, 1010):
            look(subject, now)
        assert len(caplog.records) == 1
        for number in range(MANY):
            other = box / f"host-{number}.{os.geteuid()}.active.jsonl"
            other.write_bytes(b"{}\n")
            os.utime(other, (1, 1))
        look(subject, 1010)

    assert 1 < len(caplog.records) < MANY
