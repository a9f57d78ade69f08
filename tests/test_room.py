"""The note of how much may be sealed unseen: while it is sound it is followed, else all look."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path

import pytest

from telemetry_spool.room import Room

LIMIT = 1000

HOUR = 3600.0
DAY = 24 * HOUR


def note(directory: Path, host: str = "here") -> Room:
    """Return the note of a host's user."""
    return Room(str(directory / f"{host}.1000.room"), LIMIT)


def shared(directory: Path, host: str = "here", *, used: int = 0) -> Room:
    """Return a note that has a share: it was known when it asked."""
    room = note(directory, host)
    room.share(used)
    room.share(used)
    return room


def room_in(room: Room) -> int:
    """Return how many bytes a note says, read from its file."""
    return int(Path(room.path).read_text(encoding="ascii").split()[0])


def age(room: Room, seconds: float) -> None:
    """Make a note as old as this."""
    then = time.time() - seconds
    os.utime(room.path, (then, then))


def test_what_is_sealed_is_taken_off_until_nothing_is_left(tmp_path: Path) -> None:
    """Then somebody has to look, and so has everybody after that."""
    room = shared(tmp_path)

    taken = [room.take(200), room.take(200), room.take(200), room.take(1)]

    assert taken == [True, True, False, False]
    assert room_in(room) == 0


def test_who_has_never_looked_has_no_room(tmp_path: Path) -> None:
    """Nor is a note made of it."""
    assert note(tmp_path).take(1) is False
    assert list(tmp_path.iterdir()) == []


def test_one_host_gets_half_of_what_is_free_when_it_is_known(tmp_path: Path) -> None:
    """The first look only says that it is there."""
    room = note(tmp_path)

    room.share(200)
    first = room_in(room)
    room.share(200)

    assert (first, room_in(room)) == (0, 400)


def test_hosts_together_never_have_more_than_is_free(tmp_path: Path) -> None:
    """In whichever order they look, and however often."""
    rooms = [note(tmp_path, f"host{number}") for number in range(20)]

    for room in (*rooms, *rooms, *rooms[::-1], *rooms[::3]):
        room.share(100)
        assert sum(room_in(room) for room in rooms if Path(room.path).exists()) <= LIMIT - 100

    assert all(room_in(room) > 0 for room in rooms)


def test_a_spool_beyond_its_limit_has_no_room(tmp_path: Path) -> None:
    """An uploader that holds all segments lets nobody make room."""
    room = shared(tmp_path, used=LIMIT + 1)

    assert room_in(room) == 0
    assert room.take(1) is False


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"0\n",
        b"9999999999999999999 of 0000000000000000999\n",
        b"9" * 19 + b" of " + b"0000000000000001000\n\n",
        b"-000000000000000001 of 0000000000000001000\n",
        b"x" * 43,
        b"9" * 10_000,
    ],
    ids=["empty", "short", "another limit", "long", "negative", "no note", "very long"],
)
def test_what_is_no_note_means_look_and_is_replaced(tmp_path: Path, content: bytes) -> None:
    """A crash, a power cut or an editor may have left it."""
    room = note(tmp_path)
    Path(room.path).write_bytes(content)

    assert room.take(1) is False
    room.share(0)
    room.share(0)

    assert room_in(room) == 500
    assert len(Path(room.path).read_bytes()) == 43


def test_a_note_that_promises_more_than_the_limit_is_cut(tmp_path: Path) -> None:
    """Whatever a file says, no more than the quota is sealed unseen."""
    room = note(tmp_path)
    Path(room.path).write_bytes(b"%019d of %019d\n" % (10 * LIMIT, LIMIT))

    assert [room.take(LIMIT - 1), room.take(1)] == [True, False]


@pytest.mark.parametrize(
    ("seconds", "believed"), [(11 * HOUR, True), (13 * HOUR, False), (-13 * HOUR, False)]
)
def test_an_old_note_is_not_relied_on(tmp_path: Path, seconds: float, *, believed: bool) -> None:
    """By then other hosts may soon give its room away."""
    room = shared(tmp_path)
    age(room, seconds)

    assert room.take(1) is believed


def test_a_host_that_is_gone_keeps_its_room_for_a_day(tmp_path: Path) -> None:
    """Its note is deleted after a week; other files are not."""
    gone = shared(tmp_path, "gone")
    (tmp_path / "notes.room.txt").write_text("mine", encoding="utf-8")
    here = shared(tmp_path)
    respected = room_in(here)

    age(gone, 2 * DAY)
    here.share(0)
    passed_by = room_in(here)
    age(gone, 8 * DAY)
    here.share(0)

    assert (respected, passed_by) == (166, 500)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["here.1000.room", "notes.room.txt"]


@pytest.mark.parametrize("kind", ["symlink", "hard link", "fifo", "directory"])
def test_what_only_has_the_name_of_a_note_is_left_as_it_was(tmp_path: Path, kind: str) -> None:
    """Nothing is written through it, nothing waits, and everybody looks."""
    directory = tmp_path / "spool"
    directory.mkdir()
    victim = tmp_path / "victim"
    victim.write_bytes(b"%019d of %019d\n" % (500, LIMIT))
    rooms = [note(directory), note(directory, "other")]
    for room in rooms:
        if kind == "symlink":
            os.symlink(victim, room.path)
        elif kind == "hard link":
            os.link(victim, room.path)
        elif kind == "fifo":
            os.mkfifo(room.path)
        else:
            os.mkdir(room.path)

    taken = [room.take(1) for room in rooms]
    rooms[0].share(0)

    assert taken == [False, False]
    assert victim.read_bytes() == b"%019d of %019d\n" % (500, LIMIT)


@pytest.mark.skipif(os.geteuid() != 0, reason="giving a file away takes root")
def test_a_note_of_another_user_counts_for_that_user_only(tmp_path: Path) -> None:
    """In a directory of many, nobody says how much somebody else may seal."""
    planted = note(tmp_path)
    Path(planted.path).write_bytes(b"%019d of %019d\n" % (LIMIT, LIMIT))
    os.chown(planted.path, 65534, 65534)
    mine = note(tmp_path, "mine")

    taken = planted.take(1)
    mine.share(0, owner=0)
    mine.share(0, owner=0)

    assert taken is False
    assert room_in(planted) == LIMIT
    assert room_in(mine) == LIMIT // 2


def test_a_note_is_private(tmp_path: Path) -> None:
    """As everything in the spool."""
    before = os.umask(0)
    try:
        room = shared(tmp_path)
    finally:
        os.umask(before)

    assert stat.S_IMODE(os.stat(room.path).st_mode) == 0o600


def test_where_no_note_can_be_kept_everybody_looks(tmp_path: Path) -> None:
    """A directory that is gone is no reason to fail."""
    room = note(tmp_path / "absent")

    room.share(0)

    assert room.take(1) is False
