"""Export: what is pending leaves the spool in a file, beside writers and uploaders that go on."""

from __future__ import annotations

import os
import shutil
import stat
from collections import Counter
from dataclasses import replace
from fcntl import LOCK_EX, LOCK_UN, flock
from pathlib import Path

import pytest

from telemetry_spool.bundle import leaving, rules
from telemetry_spool.bundle.files import CarryError, alone
from telemetry_spool.bundle.names import Places
from telemetry_spool.bundle.outbox import outboxes
from telemetry_spool.consent import Consent, Mode
from telemetry_spool.paths import Directories
from telemetry_spool.spool import utc_now
from tests.conftest import Place
from tests.support import carried
from tests.support.carried import event, events


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return where bundles are written."""
    return tmp_path / "out.tar.gz"


def test_what_is_pending_leaves_the_spool(place: Place, file: Path) -> None:
    """Active segments too; until receipts come, it is kept beside the spool."""
    carried.segment(place, 1, *events(1, 2))
    place.open().append(event(3))

    done = carried.export(place, file)

    assert carried.in_bundle(file) == carried.exported(place) == events(1, 2, 3)
    assert place.names() == []
    manifest = carried.manifest_of(file)
    assert (manifest["bundle"], manifest["events"]) == (done.bundle, 3)
    assert (done.events, done.segments, done.left, done.resumed) == (3, 2, 0, False)


def test_what_is_accepted_does_not_go_again(place: Place, file: Path) -> None:
    """The progress of a segment is taken out of it, also where answers overtook each other."""
    length = len(event(1)) + 1
    segment = carried.segment(place, 1, *events(1, 2, 3), acked=f"{length} {2 * length}\n")
    wholly = carried.segment(place, 2, *events(4), acked=f"{length}\n")

    carried.export(place, file)

    assert carried.in_bundle(file) == events(2)
    assert not segment.exists()
    assert place.names() == [wholly.with_suffix(".acked").name, wholly.name]


def test_events_of_mode_local_stay(place: Place, file: Path) -> None:
    """Unless somebody says otherwise; then the manifest counts them."""
    place.open().append(event(1))
    place.open().append(event(2), local=True)

    done = carried.export(place, file)
    assert (carried.in_bundle(file), done.local_events) == (events(1), 0)
    assert place.lines() == events(2)

    other = file.with_name("local.tar.gz")
    done = carried.export(place, other, include_local=True)
    assert (carried.in_bundle(other), done.local_events) == (events(2), 1)
    assert carried.manifest_of(other)["local_events"] == 1


def test_a_segment_that_an_uploader_has_is_left_to_it(place: Place, file: Path) -> None:
    """It may be sending it; the export says that there is such a one."""
    held = carried.segment(place, 1, *events(1))
    carried.segment(place, 2, *events(2))
    with held.open("r+b") as uploader:
        flock(uploader, LOCK_EX)

        done = carried.export(place, file)

    assert carried.in_bundle(file) == events(2)
    assert (done.left, carried.to_send(place)) == (1, events(1))


def test_another_hosts_active_segment_is_left_while_it_is_in_use(place: Place, file: Path) -> None:
    """Locks do not reach every network file system's other hosts."""
    carried.segment(place, 1, *events(1))
    other = place.spool / "elsewhere.1000.active.jsonl"
    other.write_bytes(event(2) + b"\n")

    assert carried.export(place, file).left == 1
    assert carried.in_bundle(file) == events(1)

    os.utime(other, (1, 1))
    later = file.with_name("later.tar.gz")
    assert carried.export(place, later).left == 0
    assert carried.in_bundle(later) == events(2)


def test_a_writer_that_comes_late_finds_nothing_to_append_to(place: Place, file: Path) -> None:
    """It had the segment open before it was exported: it sees an empty file without a link."""
    segment = carried.segment(place, 1, *events(1))
    with segment.open("r+b") as late:
        carried.export(place, file)

        flock(late, LOCK_EX)
        status = os.fstat(late.fileno())
        flock(late, LOCK_UN)

    assert (status.st_size, status.st_nlink) == (0, 0)


def claimed(place: Place, file: Path) -> tuple[Path, Path]:
    """Interrupt an export behind the first claim; return the claimed file and its bundle."""
    carried.segment(place, 1, *events(1, 2))
    carried.export(place, file)
    (bundle,) = (place.root / "exported").iterdir()
    (copy,) = bundle.glob("*.jsonl")
    (bundle / "bundle.json").unlink()
    file.unlink()
    path = place.spool / f"{copy.name}.{bundle.name}.exporting"
    return path, copy


def test_a_late_line_in_a_claimed_segment_goes_with_it(place: Place, file: Path) -> None:
    """The crash came behind the copy; a writer that had the file open has added to it since."""
    path, _ = claimed(place, file)
    path.write_bytes(b"".join(line + b"\n" for line in events(1, 2, 3)))

    assert carried.export(place, file).resumed

    assert carried.in_bundle(file) == events(1, 2, 3)
    assert place.names() == []


def test_a_late_line_in_an_emptied_segment_goes_with_it(place: Place, file: Path) -> None:
    """The crash came between emptying and unlinking; what is in the copy stays in it."""
    path, copy = claimed(place, file)
    path.write_bytes(event(3) + b"\n")
    progress = copy.with_suffix(".acked")
    progress.write_text(f"{len(event(1)) + 1}\n")  # of before it was emptied; as long as that line

    carried.export(place, file)

    assert carried.in_bundle(file) == events(1, 2, 3)
    assert place.names() == []


def test_a_claimed_segment_that_was_emptied_costs_nothing(place: Place, file: Path) -> None:
    """Its events are in the copy."""
    path, _ = claimed(place, file)
    path.write_bytes(b"")

    carried.export(place, file)

    assert carried.in_bundle(file) == events(1, 2)


def test_an_interrupted_export_takes_in_nothing_new_once_it_is_together(
    place: Place, file: Path
) -> None:
    """A file of it may exist that nobody knows of: the same id must mean the same events."""
    carried.segment(place, 1, *events(1))
    with pytest.raises(CarryError):
        carried.export(place, file / "not" / "there.tar.gz")
    assert carried.to_send(place) == events(1)

    places = carried.places(place)
    carried.export(place, file)
    (outbox,) = outboxes(places)
    note = outbox.note()
    assert note is not None
    outbox.save(replace(note, file=None))
    carried.segment(place, 2, *events(2))

    other = file.with_name("other.tar.gz")
    done = carried.export(place, other)

    assert (done.resumed, done.bundle) == (True, outbox.id)
    assert carried.in_bundle(other) == events(1)
    assert other.read_bytes() == file.read_bytes()
    assert carried.to_send(place) == events(2)


def test_a_bundle_that_is_half_deleted_is_not_begun_anew(
    place: Place, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its id is known where it was imported: events under it would not be taken in any more."""
    carried.segment(place, 1, *events(1))
    bundle = str(carried.export(place, file).bundle)
    receipts = file.with_name("back.receipts.jsonl.gz")
    carried.write_receipts(receipts, carried.answer(bundle, event(1), accepted=True))

    def die(directory: Path) -> None:
        (directory / "bundle.json").unlink()
        raise KeyboardInterrupt

    with monkeypatch.context() as killed:
        killed.setattr(shutil, "rmtree", die)
        with pytest.raises(KeyboardInterrupt):
            carried.settle(place, receipts)
    carried.segment(place, 2, *events(2))

    done = carried.export(place, file.with_name("other.tar.gz"))

    assert (done.bundle == bundle, done.resumed) == (False, False)
    assert [path.name for path in (place.root / "exported").iterdir()] == [done.bundle]


def test_nothing_pending_writes_nothing(place: Place, file: Path) -> None:
    """Not even a directory where there is no spool."""
    assert carried.export(place, file).file is None
    assert not place.root.exists()

    place.spool.mkdir(parents=True)
    assert carried.export(place, file).file is None
    assert not file.exists()
    assert list((place.root / "exported").iterdir()) == []


def test_a_file_is_not_overwritten(place: Place, file: Path) -> None:
    """And nothing leaves the spool for it."""
    carried.segment(place, 1, *events(1))
    file.write_bytes(b"mine")

    with pytest.raises(CarryError, match="not overwritten"):
        carried.export(place, file)

    assert (file.read_bytes(), carried.to_send(place)) == (b"mine", events(1))


def test_a_link_is_not_followed(place: Place, file: Path, tmp_path: Path) -> None:
    """Somebody else may have put it there."""
    carried.segment(place, 1, *events(1))
    file.symlink_to(tmp_path / "elsewhere")

    with pytest.raises(CarryError, match="not overwritten"):
        carried.export(place, file)

    assert not (tmp_path / "elsewhere").exists()


def test_a_full_stick_keeps_the_events(place: Place, small_disk: Path, file: Path) -> None:
    """They wait for another place, and that one has all of them."""
    noise = [event(number) + b" " * 10 + os.urandom(500).hex().encode() for number in range(200)]
    carried.segment(place, 1, *noise)

    with pytest.raises(CarryError, match="No space left on device"):
        carried.export(place, small_disk / "out.tar.gz")

    assert list(small_disk.iterdir()) == []
    assert carried.to_send(place) == []
    assert carried.export(place, file).resumed
    assert carried.in_bundle(file) == noise


def test_a_stick_without_links_takes_a_bundle(
    place: Place, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FAT has none."""

    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    carried.segment(place, 1, *events(1))

    carried.export(place, file)

    assert carried.in_bundle(file) == events(1)
    assert [path.name for path in file.parent.iterdir() if path.name.startswith(".")] == []


def test_everything_is_private(place: Place, file: Path) -> None:
    """Directories 0700, files 0600."""
    place.open().append(event(1))
    carried.export(place, file)

    for path in [file, *(place.root / "exported").rglob("*"), place.root / "exported"]:
        expected = 0o700 if path.is_dir() else 0o600
        assert stat.S_IMODE(path.stat().st_mode) == expected, path


def test_two_exports_at_once_do_not_meet(place: Place, file: Path) -> None:
    """The second one is told to come again."""
    carried.segment(place, 1, *events(1))
    with alone(carried.places(place)), pytest.raises(CarryError, match="another export or import"):
        carried.export(place, file)

    assert carried.to_send(place) == events(1)


def test_a_spool_elsewhere_is_exported_too(place: Place, small_disk: Path, file: Path) -> None:
    """On another file system, where a rename cannot lead from."""
    away = Place(small_disk)
    carried.segment(away, 1, *events(1))
    places = Places(Directories(place.root, away.spool))

    leaving.export(places, file, include_local=False, now=utc_now)

    assert (carried.in_bundle(file), away.names()) == (events(1), [])


def test_a_preview_says_the_same_and_changes_nothing(place: Place, file: Path) -> None:
    """Events, bytes and segments."""
    carried.segment(place, 1, *events(1, 2), acked=f"{len(event(1)) + 1}\n")
    place.open().append(event(3))
    before = Counter((path, path.read_bytes()) for path in place.root.rglob("*") if path.is_file())

    said = leaving.preview(carried.places(place), include_local=False)

    after = Counter((path, path.read_bytes()) for path in place.root.rglob("*") if path.is_file())
    assert before == after
    done = carried.export(place, file)
    assert (said.events, said.bytes, said.segments) == (done.events, done.bytes, done.segments)


@pytest.mark.parametrize(
    ("mode", "include_local", "allowed"),
    [
        (Mode.ON, False, True),
        (Mode.ON, True, True),
        (Mode.LOCAL, False, False),
        (Mode.LOCAL, True, True),
        (Mode.OFF, False, False),
        (Mode.OFF, True, False),
    ],
)
def test_consent_to_export(mode: Mode, include_local: bool, allowed: bool) -> None:
    """A bundle leaves the machine as a request does."""
    consent = Consent(mode, "because")
    if allowed:
        rules.check_export(consent, include_local=include_local)
        return
    with pytest.raises(CarryError, match="because"):
        rules.check_export(consent, include_local=include_local)


@pytest.mark.parametrize(("mode", "allowed"), [(Mode.ON, 1), (Mode.LOCAL, 0), (Mode.OFF, 0)])
def test_consent_to_import(mode: Mode, allowed: int) -> None:
    """What comes in is sent from here, so this machine must be allowed to send."""
    consent = Consent(mode, "because")
    if allowed:
        rules.check_import(consent)
        return
    with pytest.raises(CarryError, match="because"):
        rules.check_import(consent)


def test_a_shared_spool_is_nobodys_to_export(place: Place) -> None:
    """Its files are others' too."""
    place.spool.mkdir(parents=True)
    place.spool.chmod(0o777)

    with pytest.raises(CarryError, match="FLWR_TELEMETRY_DIR"):
        rules.check_own(carried.places(place))
