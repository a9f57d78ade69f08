"""SIGKILL at every change of an export, an import, receipts, a return; then the same again."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

from telemetry_spool.bundle.outstanding import outstanding
from tests.conftest import Place
from tests.faults.crash_commands import Crashes
from tests.faults.crash_points import CrashServer, crash_server_or_skip
from tests.faults.table import survives
from tests.support import carried
from tests.support.carried import event, events

server = pytest.fixture(crash_server_or_skip, scope="module")

FILE = "out.tar.gz"
RECEIPTS = "back.receipts.jsonl.gz"


@pytest.fixture
def crashes(server: CrashServer, tmp_path: Path) -> Crashes:
    """Return what makes the attempts."""
    return Crashes(server, tmp_path)


def fill(place: Place, _: Path) -> None:
    """Make a spool: a segment with progress, one without, an active one, one of mode local."""
    length = len(event(1)) + 1
    carried.segment(place, 1, *events(1, 2, 3, 4), acked=f"{length} {2 * length}\n")
    carried.segment(place, 2, *events(5))
    place.open().append(event(6))
    place.open().append(event(9), local=True)


PENDING = events(2, 4, 5, 6)


@survives(
    "crash",
    "`telemetry-spool export` dies while it moves events into a bundle",
    "run again it goes on: each event is sent, or in the file and in `exported/`, exactly once",
)
def test_export(crashes: Crashes) -> None:
    """An uploader may send between the crash and the second run; it never has what the file has."""

    def check(place: Place, home: Path, sent: list[bytes]) -> None:
        file = home / FILE
        written = carried.in_bundle(file) if file.exists() else []
        assert Counter(sent + written) == carried.once(PENDING)
        assert Counter(carried.exported(place)) == Counter(written)
        assert [found.file for found in outstanding(carried.places(place))] == [str(file)][
            : len(written)
        ]
        assert carried.to_send(place) == []
        assert [name for name in place.names() if ".local." not in name] == []
        assert sorted(path.name for path in home.iterdir() if path.name.endswith("tmp")) == []

    points = crashes.everywhere(fill, ["export", f"HOME/{FILE}"], check)

    assert points > 20


@survives(
    "crash",
    "`telemetry-spool import` of a bundle dies",
    "run again it adds what is missing: each event is in the spool exactly once",
)
def test_import(crashes: Crashes, tmp_path_factory: pytest.TempPathFactory) -> None:
    """An uploader may send the first segments before the second run; they do not come again."""
    offline = tmp_path_factory.mktemp("offline")
    fill(Place(offline / "telemetry"), offline)
    carried.export(Place(offline / "telemetry"), offline / FILE)

    def prepare(place: Place, home: Path) -> None:
        os.link(offline / FILE, home / FILE)
        carried.segment(place, 1, event(7))

    def check(place: Place, _: Path, sent: list[bytes]) -> None:
        assert Counter(sent + carried.to_send(place)) == carried.once([*PENDING, event(7)])
        assert carried.on_the_way(place) == []
        (arrived,) = (place.root / "imported").iterdir()
        assert sorted(path.name for path in arrived.iterdir()) == ["ids", "manifest.json"]

    points = crashes.everywhere(prepare, ["import", f"HOME/{FILE}"], check)

    assert points > 10


ACCEPTED, REJECTED, WAITING = events(2, 5), events(4), events(6)


def prepare_settling(place: Place, home: Path) -> None:
    """Make a bundle that is outstanding and receipts for most of it."""
    fill(place, home)
    bundle = str(carried.export(place, home / FILE).bundle)
    carried.write_receipts(
        home / RECEIPTS,
        *(carried.answer(bundle, line, accepted=True) for line in ACCEPTED),
        *(carried.answer(bundle, line, accepted=False) for line in REJECTED),
    )


def letters(place: Place) -> list[bytes]:
    """Return the lines of the dead letters."""
    return [
        line
        for path in (place.root / "rejected").glob("*.jsonl")
        for line in path.read_bytes().splitlines()
    ]


@survives(
    "crash",
    "`telemetry-spool import` of receipts dies",
    "run again it goes on: one receipt or one dead letter an event, the rest stays outstanding",
)
def test_receipts(crashes: Crashes) -> None:
    """A record that was written before the crash is not written again."""

    def check(place: Place, _: Path, sent: list[bytes]) -> None:
        assert len(place.ledger()) == len(ACCEPTED)
        assert len(letters(place)) == len(REJECTED)
        assert carried.exported(place) == WAITING
        assert sent == []

    points = crashes.everywhere(prepare_settling, ["import", f"HOME/{RECEIPTS}"], check)

    assert points > 6


@survives(
    "crash",
    "`telemetry-spool import` of receipts dies, and the bundle is taken back instead",
    "an event that has a receipt or a dead letter does not return to the spool",
)
def test_take_back_after_half_of_the_receipts(crashes: Crashes) -> None:
    """What the records do not have returns."""

    def check(place: Place, _: Path, sent: list[bytes]) -> None:
        returned = carried.to_send(place) + carried.exported(place)
        recorded = len(place.ledger()) + len(letters(place))
        assert len(returned) + recorded == len(PENDING)
        assert len(set(returned)) == len(returned)
        assert sent == []

    crashes.everywhere(
        prepare_settling, ["import", f"HOME/{RECEIPTS}"], check, then=["export", "--take-back", "2"]
    )


@survives(
    "crash",
    "`telemetry-spool export --take-back` dies",
    "run again it goes on: each event is in the spool exactly once",
)
def test_take_back(crashes: Crashes) -> None:
    """An uploader may send the first segments before the second run; they do not come again."""

    def prepare(place: Place, home: Path) -> None:
        fill(place, home)
        carried.export(place, home / FILE)

    def check(place: Place, _: Path, sent: list[bytes]) -> None:
        assert Counter(sent + carried.to_send(place)) == carried.once(PENDING)
        assert carried.exported(place) == []
        assert carried.on_the_way(place) == []

    points = crashes.everywhere(prepare, ["export", "--take-back", "2"], check)

    assert points > 10
