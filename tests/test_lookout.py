"""Looks at a spool: at what has changed, or at everything; how often, and what is said then."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from telemetry_spool.listing import SegmentFile, list_segments
from telemetry_spool.paths import Directories
from tests.conftest import Place
from tests.test_append import locked_by_another_process
from uploader import lookout
from uploader.lookout import Lookout
from uploader.sendable import SENDABLE
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


BACKLOG = 1_000
FRESH = f"20260310T120000Z-{2**60:016x}.jsonl"


def local_name(number: int) -> str:
    """Return the name of a sealed segment that is never sent."""
    return f"20260310T120000Z-{number:016x}.local.jsonl"


@pytest.fixture
def private(place: Place) -> Place:
    """Return a place with many local segments."""
    place.spool.mkdir(parents=True, mode=0o700)
    for number in range(BACKLOG):
        (place.spool / local_name(number)).write_bytes(b'{"event_type": "LOCAL"}\n')
    return place


class Looking:
    """Looks at a private spool, as an engine does."""

    def __init__(self, place: Place) -> None:
        """Begin with a look at everything."""
        directories = Directories(place.root, place.spool)
        self.lookout = Lookout(directories, RESCAN_SECONDS, 2**20, lambda *_: None)
        self.turns = Turns(limit=2**16)
        self.listings = 0
        self.look()

    def look(self, *names: str, doubtful: bool = False, sealing: bool = True) -> None:
        """Look at these files, or without a name at everything."""
        self.lookout.look(
            self.turns,
            1000.0,
            time.time(),
            frozenset(names) or None,
            sealing=sealing,
            doubtful=lambda _: doubtful,
        )

    def take(self) -> list[bytes]:
        """Return the events that are to be sent, each of which is accepted at once."""
        taken = []
        while (piece := self.turns.take(lambda _: SENDABLE)) is not None:
            taken.append(piece.data)
            piece.reading.done([piece])
        for reading in self.turns.finished():
            self.turns.remove(reading)
        return taken


@pytest.fixture
def looking(private: Place, monkeypatch: pytest.MonkeyPatch) -> Iterator[Looking]:
    """Return what has looked at everything once, and counts how often it does."""
    subject = Looking(private)

    def listing(directory: str) -> list[SegmentFile]:
        subject.listings += 1
        return list_segments(directory)

    monkeypatch.setattr(lookout, "list_segments", listing)
    yield subject
    subject.turns.close()


def test_a_new_event_costs_no_look_at_all_the_others(looking: Looking, private: Place) -> None:
    """It is sealed and sent, however much there is beside it."""
    for number in range(3):
        line = b'{"event_type": "%d"}' % number
        private.open().append(line)
        looking.look(private.active().name)
        assert looking.take() == [line]
        assert not private.active().exists()

    assert looking.listings == 0
    assert len(private.sealed()) == BACKLOG


def test_a_segment_that_a_writer_has_sealed_is_found_by_its_name(
    looking: Looking, private: Place
) -> None:
    """Once, however often its name is called."""
    (private.spool / FRESH).write_bytes(b"{}\n")
    looking.look(FRESH)
    looking.look(FRESH)

    assert looking.take() == [b"{}"]
    assert looking.listings == 0


@pytest.mark.parametrize(
    "name",
    [
        "nothing",
        "notes.txt",
        FRESH,
        local_name(1),
        "uploader.lock",
        "20260310T120000Z-0123456789abcdef.acked",
        "\udcff",
        "x" * 300 + ".active.jsonl",
    ],
)
def test_a_name_that_means_nothing_does_no_harm(
    looking: Looking, private: Place, name: str
) -> None:
    """It is gone, not ours, or not to be sent."""
    if name == "notes.txt":
        (private.spool / name).write_text("mine\n")
    looking.look(name)

    assert looking.take() == []
    assert looking.listings == 0
    assert len(private.sealed()) == BACKLOG


def test_what_stands_under_the_name_of_a_segment_must_be_one(
    looking: Looking, private: Place, tmp_path: Path
) -> None:
    """A link, a directory or a pipe is left alone."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(b"{}\n")
    names = [f"20260310T120000Z-{2**61 + number:016x}.jsonl" for number in range(3)]
    (private.spool / names[0]).symlink_to(elsewhere)
    (private.spool / names[1]).mkdir()
    os.mkfifo(private.spool / names[2])

    looking.look(*names)

    assert looking.take() == []
    assert {path.name for path in private.spool.iterdir()} >= {*names}


def test_the_next_look_at_everything_finds_what_nobody_called(
    looking: Looking, private: Place
) -> None:
    """Some reports are lost, and some file systems make none."""
    private.open().append(b'{"event_type": "HEARD"}')
    (private.spool / FRESH).write_bytes(b'{"event_type": "UNHEARD"}\n')
    looking.look(private.active().name)
    assert looking.take() == [b'{"event_type": "HEARD"}']

    looking.look()

    assert looking.take() == [b'{"event_type": "UNHEARD"}']


def test_while_the_endpoint_is_in_trouble_everything_is_looked_at(
    looking: Looking, private: Place
) -> None:
    """How much is sealed depends on how much there is."""
    private.open().append(b"{}")
    looking.look(private.active().name, doubtful=True)

    assert looking.listings >= 1


def test_nothing_is_sealed_that_may_not_be_sent(looking: Looking, private: Place) -> None:
    """Its mode may be `local` by the time that it may."""
    private.open().append(b"{}")
    looking.look(private.active().name, sealing=False)

    assert looking.take() == []
    assert private.active().read_bytes() == b"{}\n"


def test_what_is_in_use_is_tried_again_soon(looking: Looking, private: Place) -> None:
    """Nothing rings when a writer lets go of it, soon; less often if it does not."""
    private.open().append(b"{}")
    with locked_by_another_process(private.active()):
        looking.look(private.active().name)
        assert looking.take() == []
        assert looking.lookout.kept
        assert looking.lookout.next_look <= 1000.01
        for _ in range(8):
            looking.look()
        assert looking.lookout.next_look >= 1000.5

    looking.look("whatever")

    assert looking.take() == [b"{}"]
    assert not looking.lookout.kept
