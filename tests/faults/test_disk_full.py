"""Disks without space and without inodes: events are counted when lost, and sent all the same."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from telemetry_spool.consent import Mode
from telemetry_spool.recorder import Recorder
from telemetry_spool.writer_settings import writer_config
from tests.conftest import Place
from tests.faults.data_drain import drain, event, seal
from tests.faults.disk_mounts import tmpfs, use_up_inodes, use_up_space
from tests.faults.table import survives
from tests.support.endpoint import Endpoint
from uploader.once import Ending

SEGMENTS = 5
A_SEGMENT = 10
EVENTS = [event(number, f', "x": "{"x" * 300}"') for number in range(SEGMENTS * A_SEGMENT)]


def fill_spool(place: Place) -> None:
    """Put events into several segments, the last of them active."""
    for number in range(SEGMENTS - 1):
        events = EVENTS[number * A_SEGMENT : (number + 1) * A_SEGMENT]
        seal(place, number, b"".join(line + b"\n" for line in events))
    for line in EVENTS[-A_SEGMENT:]:
        place.open().append(line)


def expect_to_drain(place: Place) -> None:
    """Drain; every event is sent once and nothing is left."""
    with Endpoint() as endpoint:
        drained = drain(place, endpoint)

    assert drained.ending is Ending.DRAINED
    assert drained.delivered == Counter(EVENTS)
    assert len(endpoint.requests) == len(EVENTS)
    assert [name for name in place.names() if name != "uploader.lock"] == []


@survives("disk", "the disk is full", "the uploader drains it: deleting takes no space")
def test_a_full_disk_is_drained(tmp_path: Path) -> None:
    """Progress and receipts cannot be written at first, and nothing is sent twice for it."""
    with tmpfs(tmp_path / "disk", "size=64k") as disk:
        place = Place(disk)
        fill_spool(place)
        use_up_space(disk)
        assert not (place.spool / "uploader.lock").exists()

        expect_to_drain(place)

        assert len(place.ledger()) == len(EVENTS)


@survives("disk", "the disk has no inode left", "the uploader drains it without a lock file")
def test_a_disk_without_inodes_is_drained(tmp_path: Path) -> None:
    """Not even an empty file can be made until the first segment is gone."""
    with tmpfs(tmp_path / "disk", "nr_inodes=24") as disk:
        place = Place(disk)
        fill_spool(place)
        use_up_inodes(disk)

        expect_to_drain(place)


@survives(
    "disk", "the disk runs out of space or inodes", "each event is spooled or counted as lost"
)
@pytest.mark.parametrize("options", ["size=32k", "nr_inodes=8"])
def test_an_event_is_spooled_or_counted(tmp_path: Path, options: str) -> None:
    """What cannot be written down on a full disk is written down when there is room."""
    count = 200
    with tmpfs(tmp_path / "disk", options) as disk:
        place = Place(disk / "telemetry")
        tiny = {"FLWR_TELEMETRY_MAX_SEGMENT_BYTES": "4096"}
        recorder = Recorder(writer_config(place.environ | tiny))
        if options.startswith("size"):
            use_up_space(disk)
        else:
            use_up_inodes(disk)
            (disk / "filler-0").unlink()
        spooled = sum(recorder.record(EVENTS[0], Mode.ON) for _ in range(count))
        assert spooled < count

        for filler in disk.glob("filler*"):
            filler.unlink()
        assert recorder.record(EVENTS[0], Mode.ON)

        assert len(place.lines()) == spooled + 1
        assert place.losses().total() == count - spooled
