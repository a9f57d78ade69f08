"""Removing chosen events: exactly these, whatever others do to the spool meanwhile."""

from __future__ import annotations

import fcntl
import os
import stat
import threading
from pathlib import Path

import pytest

from telemetry_spool import removal
from telemetry_spool.entries import Entry
from telemetry_spool.listing import list_segments
from telemetry_spool.placing import write_temporary
from telemetry_spool.removal import remove
from tests.conftest import Place
from tests.support.events import event
from uploader.backlog import Backlog
from uploader.reading import Reading

KEEP, DROP = event("KEEP"), event("DROP")
MORE = event("MORE")
SEALED = "20260101T000000Z-0000000000000001.jsonl"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for an uploader as long as it takes to see that it does not let go."""
    monkeypatch.setattr(removal, "PATIENCE_SECONDS", 0.05)


def drop(entry: Entry) -> bool:
    """Choose what is called DROP."""
    return entry.event_type == "DROP"


def write(place: Place, name: str, *lines: bytes, acked: str = "") -> Path:
    """Write a segment, and its progress."""
    place.spool.mkdir(parents=True, exist_ok=True)
    path = place.spool / name
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    if acked:
        path.with_suffix(".acked").write_text(f"{acked}\n")
    return path


def done(place: Place) -> tuple[int, list[str]]:
    """Remove what is to be dropped; return how many went, and what was complained of."""
    removed = remove(str(place.spool), drop)
    return removed.events, removed.failures


def test_chosen_events_go_and_the_others_stay_in_order(place: Place) -> None:
    """From sealed segments, which keep their age."""
    write(place, SEALED, KEEP, DROP, MORE, DROP)
    write(place, SEALED.replace("01T", "02T"), MORE)

    assert done(place) == (2, [])

    assert place.lines() == [KEEP, MORE, MORE]
    first, second = place.names()
    assert first.startswith("20260101T000000Z-00000")
    assert first != SEALED
    assert second == SEALED.replace("01T", "02T")


def test_a_segment_with_nothing_else_in_it_goes_whole(place: Place) -> None:
    """With its progress."""
    write(place, SEALED, KEEP, DROP, acked=str(len(KEEP) + 1))

    assert done(place) == (1, [])
    assert place.names() == []


def test_what_was_accepted_is_not_brought_back(place: Place) -> None:
    """Neither what is before the offset nor single lines beyond it."""
    lines = [event("SENT"), KEEP, event("SENT_TOO"), DROP, MORE]
    starts = [sum(len(line) + 1 for line in lines[:number]) for number in range(len(lines))]
    write(place, SEALED, *lines, acked=f"{starts[1]} {starts[2]}")

    assert done(place) == (1, [])

    assert place.lines() == [KEEP, MORE]
    assert [name for name in place.names() if name.endswith(".acked")] == []


def test_an_active_segment_is_sealed_first(place: Place) -> None:
    """Whoever wants to append opens the path again and finds a new one."""
    spool = place.open()
    for line in (KEEP, DROP):
        spool.append(line)
    for line in (DROP, MORE):
        spool.append(line, local=True)

    assert done(place) == (2, [])
    spool.append(MORE)

    assert sorted(place.lines()) == sorted([KEEP, MORE, MORE])
    kinds = [name.partition(".")[2] for name in place.names()]
    assert sorted(kinds) == [f"{os.geteuid()}.active.jsonl", "jsonl", "local.jsonl"]


def test_a_segment_without_chosen_events_is_left_alone(place: Place) -> None:
    """Not even opened for writing."""
    path = write(place, SEALED, KEEP)
    path.chmod(0o400)
    before = path.stat()

    assert done(place) == (0, [])
    assert path.stat() == before


def test_what_is_no_event_is_kept_byte_for_byte(place: Place) -> None:
    """Longer than any event, without an end, no UTF-8."""
    long = b"[" + b"x" * (3 * 2**20)
    path = write(place, SEALED, b"\xff\x00 {", long, DROP)
    with path.open("ab") as file:
        file.write(b"half")

    assert done(place) == (1, [])
    assert place.lines() == [b"\xff\x00 {", long, b"half"]
    assert (place.spool / place.names()[0]).read_bytes().endswith(b"half\n")


def test_a_cut_line_that_is_kept_gets_its_end(place: Place) -> None:
    """Longer than any event and without a newline, as after a power cut."""
    long = b"[" + b"x" * (2 * 2**20)
    path = write(place, SEALED, DROP)
    with path.open("ab") as file:
        file.write(long)

    assert done(place) == (1, [])
    assert (place.spool / place.names()[0]).read_bytes() == long + b"\n"


def test_mode_and_owner_stay(place: Place) -> None:
    """In a shared spool the service must still be able to read it."""
    path = write(place, SEALED, KEEP, DROP)
    path.chmod(0o660)
    if os.geteuid() == 0:
        os.chown(path, 65534, 65534)

    done(place)

    status = (place.spool / place.names()[0]).stat()
    assert stat.S_IMODE(status.st_mode) == 0o660
    assert status.st_uid == (65534 if os.geteuid() == 0 else os.geteuid())


def test_a_segment_that_the_uploader_holds_is_taken_away(place: Place) -> None:
    """It holds it for a month, offline; it notices, sends nothing more of it, and goes on."""
    path = write(place, SEALED, DROP, KEEP, DROP)
    held = Reading(str(path), limit=2**20)
    assert held.take() is not None

    assert done(place) == (2, [])

    assert held.deleted
    assert place.lines() == [KEEP]
    held.close()


def test_the_uploader_goes_on_with_what_is_left(place: Place) -> None:
    """It hands out the rest once, and nothing that was removed."""
    write(place, SEALED, DROP, KEEP, DROP, MORE)
    backlog = Backlog(limit=2**20)
    backlog.refresh(list_segments(str(place.spool)))
    first = backlog.take()
    assert first is not None
    assert first.data == DROP
    first.reading.again(first)

    assert done(place) == (2, [])

    backlog.refresh(list_segments(str(place.spool)))
    taken = []
    while piece := backlog.take():
        taken.append(piece.data)
        piece.reading.done([piece])
    assert taken == [KEEP, MORE]
    for reading in backlog.finished():
        backlog.remove(reading)
    assert place.names() == []


def test_a_late_writer_of_a_segment_that_was_taken_away_loses_nothing(place: Place) -> None:
    """It had opened the file before it was sealed, and waits for its lock."""
    path = write(place, SEALED, DROP, KEEP)
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND)
    holder = Reading(str(path), limit=2**20)

    assert done(place) == (1, [])
    holder.close()

    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    status = os.fstat(descriptor)
    assert (status.st_size, status.st_nlink) == (0, 0), "a writer opens the path again then"
    os.close(descriptor)


def test_a_line_that_comes_while_a_segment_is_taken_away_is_kept(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The uploader let go just then, and a late writer had the lock."""
    path = write(place, SEALED, DROP, KEEP)
    holder = Reading(str(path), limit=2**20)
    unlink = os.unlink

    def late(target: str) -> None:
        if target == str(path):
            holder.close()
            with path.open("ab") as file:
                file.write(MORE + b"\n")
        unlink(target)

    monkeypatch.setattr(os, "unlink", late)

    assert done(place) == (1, [])
    assert sorted(place.lines()) == sorted([KEEP, MORE])


def test_an_uploader_that_goes_on_meanwhile_makes_it_look_again(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it sent while the rest was copied must not come back."""
    lines = [event("SENT"), KEEP, DROP]
    path = write(place, SEALED, *lines)
    holder = Reading(str(path), limit=2**20)
    times: list[object] = []

    def slow(*arguments: object, **options: object) -> str:
        made = write_temporary(*arguments, **options)  # type: ignore[arg-type]
        if not times:
            path.with_suffix(".acked").write_text(f"{len(lines[0]) + 1}\n")
        times.append(made)
        return made

    monkeypatch.setattr(removal, "write_temporary", slow)

    assert done(place) == (1, [])
    assert place.lines() == [KEEP]
    assert len(times) == 2
    holder.close()


def test_a_writer_that_never_lets_go_is_named(place: Place) -> None:
    """It was stopped while it held its active segment: nothing can be said of what it will do."""
    spool = place.open()
    spool.append(DROP)
    with place.active().open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)

        said = f"{place.active()} is in use: a writer does not let go of it; try again later"
        assert done(place) == (0, [said])

    assert place.lines() == [DROP]


def test_another_hosts_active_segment_is_left_until_it_is_quiet(place: Place) -> None:
    """Locks may not reach that host."""
    path = write(place, "elsewhere.1000.active.jsonl", DROP, KEEP)

    removed, (said,) = done(place)
    assert (removed, len(place.lines())) == (0, 2)
    assert said == (f"{path} is in use: on elsewhere, within the last minute; try again later")

    os.utime(path, (0, 0))
    assert done(place) == (1, [])
    assert place.lines() == [KEEP]


def test_an_active_segment_that_is_sealed_meanwhile_is_found_again(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The uploader was faster."""
    spool = place.open()
    for line in (KEEP, DROP):
        spool.append(line)
    times: list[object] = []

    def outdated(directory: str) -> object:
        found = list_segments(directory)
        if not times:
            place.active().rename(place.spool / SEALED)
        times.append(found)
        return found

    monkeypatch.setattr(removal, "list_segments", outdated)

    assert done(place) == (1, [])
    assert place.lines() == [KEEP]


def test_everything_can_be_removed_from_a_full_disk(place: Place, small_disk: Path) -> None:
    """Nothing has to be written for that; what is kept has to be, and then one line says so."""
    here = Place(small_disk / "telemetry")
    write(here, SEALED, KEEP, DROP)
    write(here, SEALED.replace("01T", "02T"), DROP, DROP)
    with pytest.raises(OSError, match="No space"):
        (small_disk / "ballast").write_bytes(b"x" * 2**20)

    removed, (said,) = done(here)

    assert removed == 2
    assert said == f"{here.spool / SEALED} cannot be changed: No space left on device"
    assert here.lines() == [KEEP, DROP]
    assert here.names() == [SEALED]
    assert not place.root.exists()


def test_events_that_come_all_the_time_are_neither_lost_nor_doubled(place: Place) -> None:
    """Writers go on while their segments are rewritten under their hands."""
    written: list[bytes] = []
    stop = threading.Event()

    def write_on() -> None:
        spool = place.open(max_segment_bytes=4096)
        while not stop.is_set() and len(written) < 20_000:
            spool.append(DROP)
            line = event("KEEP", details={"n": len(written)})
            spool.append(line)
            written.append(line)

    writer = threading.Thread(target=write_on)
    writer.start()
    removed = 0
    while writer.is_alive() and removed < 300:
        removed += remove(str(place.spool), drop).events
    stop.set()
    writer.join()
    removed += remove(str(place.spool), drop).events

    assert removed == len(written)
    assert sorted(place.lines()) == sorted(written)
