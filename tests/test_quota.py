"""The quota: the oldest sealed events go first, each is counted, nothing else is touched."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

import pytest

from telemetry_spool import quota
from telemetry_spool.appending import try_lock
from telemetry_spool.listing import SegmentFile, list_segments
from telemetry_spool.quota import delete_segment, enforce
from tests.conftest import Place, run_python

KIB = 1024


def sealed_name(day: int, *, local: bool = False) -> str:
    """Return the name of a segment sealed on this day of January."""
    return f"202601{day:02}T000000Z-{day:016x}{'.local' if local else ''}.jsonl"


def put_segment(directory: Path, day: int, *, lines: int = 4, local: bool = False) -> Path:
    """Write a sealed segment with lines of 1 KiB, the newline included."""
    path = directory / sealed_name(day, local=local)
    path.write_bytes((b"x" * (KIB - 1) + b"\n") * lines)
    return path


def left_in(directory: Path) -> list[str]:
    """Return the names that are left."""
    return sorted(path.name for path in directory.iterdir())


def test_the_oldest_go_until_the_rest_fits(tmp_path: Path) -> None:
    """Nothing goes beyond what the limit demands."""
    for day in (3, 1, 2, 4):
        put_segment(tmp_path, day)

    evicted = enforce(str(tmp_path), 9 * KIB)

    assert evicted == 8
    assert left_in(tmp_path) == [sealed_name(3), sealed_name(4)]


def test_over_the_limit_some_room_more_is_made(tmp_path: Path) -> None:
    """Not every segment that is sealed afterwards is to be one too many; 95 % of the limit stay."""
    for number in range(1, 32):
        put_segment(tmp_path, number, lines=10)

    assert enforce(str(tmp_path), 300 * KIB) == 20
    assert len(left_in(tmp_path)) == 29
    assert enforce(str(tmp_path), 290 * KIB) == 0


def test_a_spool_within_its_limit_is_left_alone(tmp_path: Path) -> None:
    """Exactly the limit is within it."""
    put_segment(tmp_path, 1)
    put_segment(tmp_path, 2)

    assert enforce(str(tmp_path), 8 * KIB) == 0
    assert left_in(tmp_path) == [sealed_name(1), sealed_name(2)]


def test_active_segments_count_and_stay(tmp_path: Path) -> None:
    """Writers append to them; their bytes are bytes of the spool all the same."""
    active = tmp_path / "host.1000.active.jsonl"
    active.write_bytes(b"x" * 6 * KIB)
    put_segment(tmp_path, 1)

    assert enforce(str(tmp_path), 5 * KIB) == 4
    assert left_in(tmp_path) == [active.name]


def test_local_segments_go_in_their_turn(tmp_path: Path) -> None:
    """What is never uploaded would otherwise grow for ever."""
    put_segment(tmp_path, 1, local=True)
    put_segment(tmp_path, 2)

    assert enforce(str(tmp_path), 4 * KIB) == 4
    assert left_in(tmp_path) == [sealed_name(2)]


def test_a_segment_that_an_uploader_holds_is_passed_by(tmp_path: Path) -> None:
    """What is being sent is not deleted under the sender; the next one goes in its place."""
    held = put_segment(tmp_path, 1)
    put_segment(tmp_path, 2)
    put_segment(tmp_path, 3)

    with held.open("r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        evicted = enforce(str(tmp_path), 8 * KIB)

    assert evicted == 4
    assert left_in(tmp_path) == [sealed_name(1), sealed_name(3)]
    assert held.stat().st_size == 4 * KIB


@pytest.mark.parametrize(
    ("ack", "lost"),
    [
        (b"0\n", 4),
        (b"2048\n", 2),
        (b"1024 2048\n", 2),
        (b"4096\n", 0),
        (b"rubbish", 4),
        (b"100\n", 4),
    ],
)
def test_accepted_events_are_not_lost(tmp_path: Path, ack: bytes, lost: int) -> None:
    """Only what nobody has accepted is a loss; the progress file goes with its segment."""
    segment = put_segment(tmp_path, 1)
    segment.with_suffix(".acked").write_bytes(ack)

    evicted = enforce(str(tmp_path), 0)

    assert evicted == lost
    assert left_in(tmp_path) == []


def test_unknown_files_are_left_alone(tmp_path: Path) -> None:
    """What is not ours is neither counted nor deleted."""
    unknown = ["notes.txt", "events.jsonl", "2026.jsonl", "uploader.lock", "x.tmp", ".hidden"]
    for name in unknown:
        (tmp_path / name).write_bytes(b"x" * 100 * KIB)
    (tmp_path / "directory.jsonl").mkdir()
    put_segment(tmp_path, 1)

    assert enforce(str(tmp_path), 4 * KIB) == 0
    assert enforce(str(tmp_path), 0) == 4
    assert left_in(tmp_path) == sorted([*unknown, "directory.jsonl"])


@pytest.mark.parametrize("kind", ["symlink", "fifo", "directory"])
def test_what_only_has_the_name_of_a_segment_stops_nothing(tmp_path: Path, kind: str) -> None:
    """A link is not followed, a FIFO not waited for, a directory not emptied."""
    spool = tmp_path / "spool"
    spool.mkdir()
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious\n")
    name = spool / sealed_name(1)
    if kind == "symlink":
        name.symlink_to(victim)
    elif kind == "fifo":
        os.mkfifo(name)
    else:
        name.mkdir()
    put_segment(spool, 2)
    put_segment(spool, 3)

    evicted = enforce(str(spool), 5 * KIB)

    assert evicted == 4
    assert victim.read_bytes() == b"precious\n"
    assert sealed_name(3) in left_in(spool)


def test_a_segment_deleted_by_somebody_else_meanwhile_makes_room_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two who enforce the limit at once do not delete twice as much."""
    first = put_segment(tmp_path, 1)
    put_segment(tmp_path, 2)
    put_segment(tmp_path, 3)

    def list_then_delete_the_first(directory: str) -> list[SegmentFile]:
        found = list_segments(directory)
        first.unlink()
        return found

    monkeypatch.setattr(quota, "list_segments", list_then_delete_the_first)
    evicted = enforce(str(tmp_path), 8 * KIB)

    assert evicted == 0
    assert left_in(tmp_path) == [sealed_name(2), sealed_name(3)]


@pytest.mark.parametrize("path", ["absent", "file"])
def test_a_directory_that_cannot_be_listed_is_left_to_its_owner(tmp_path: Path, path: str) -> None:
    """In a drop box, a writer may add and not look."""
    (tmp_path / "file").write_bytes(b"")

    assert enforce(str(tmp_path / path), 0) == 0


def test_deleting_a_segment_deletes_its_progress_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A crash in between must not leave a segment whose events would all be sent again."""
    segment = put_segment(tmp_path, 1)
    ack = segment.with_suffix(".acked")
    ack.write_bytes(b"1024\n")
    unlinked: list[str] = []
    unlink = os.unlink

    def record(path: str) -> None:
        unlinked.append(os.path.basename(path))
        unlink(path)

    monkeypatch.setattr(os, "unlink", record)
    with segment.open("r+b") as file:
        assert try_lock(file.fileno())
        delete_segment(str(segment), file.fileno())

    assert unlinked == [segment.name, ack.name]
    assert left_in(tmp_path) == []


def test_a_spool_that_nobody_uploads_stays_within_its_bytes(place: Place) -> None:
    """After many events the newest are there, and the ledger has all the others."""
    spool = place.open(max_segment_bytes="4KiB", max_spool_bytes="16KiB")
    total = 200

    for number in range(total):
        spool.append(b'{"n": %d, "%s": 0}' % (number, b"x" * 480))

    numbers = [event["n"] for event in place.events()]
    size = sum((place.spool / name).stat().st_size for name in place.names())
    assert size <= 16 * KIB + 4 * KIB
    assert sorted(numbers) == list(range(total - len(numbers), total))
    assert sum(place.losses().values()) == total - len(numbers)
    assert all("quota" in reason for reason in place.losses())
    assert {tuple(sorted(record)) for record in place.ledger()} == {("lost", "lost_at", "reason")}


@pytest.mark.parametrize("backlog", [0, 1000])
def test_how_often_the_spool_is_looked_through_does_not_depend_on_what_is_in_it(
    place: Place, monkeypatch: pytest.MonkeyPatch, backlog: int
) -> None:
    """A look takes as long as there are segments: one for each sealed would make events dear."""
    place.spool.mkdir(parents=True)
    for number in range(backlog):
        (place.spool / f"20260101T000000Z-{number:016x}.jsonl").write_bytes(b"{}\n")
    looks = count_looks(monkeypatch)

    for _ in range(100):
        place.open(max_segment_bytes="4KiB", max_spool_bytes="10MiB").append(b"x" * 4096)

    assert len(place.sealed()) == 100 + backlog
    assert len(looks) == 2


def test_a_full_spool_is_not_looked_through_for_every_segment(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And it stays within its bytes, but for the segment that is appended to."""
    looks = count_looks(monkeypatch)
    sizes = []

    for _ in range(600):
        place.open(max_segment_bytes="4KiB", max_spool_bytes="1MiB").append(b"x" * 4095)
        sizes.append(sum(path.stat().st_size for path in place.sealed()))

    assert max(sizes) <= 1024 * KIB
    assert min(sizes[300:]) >= 0.95 * 1024 * KIB
    assert len(looks) < 250


def count_looks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return what will have one entry for each time that the spool is looked through."""
    looks: list[str] = []

    def look(directory: str) -> list[SegmentFile]:
        looks.append(directory)
        return list_segments(directory)

    monkeypatch.setattr(quota, "list_segments", look)
    return looks


@pytest.mark.parametrize("crash", ["before the seal", "before the look"])
def test_after_a_crash_the_next_segment_is_followed_by_a_look(place: Place, crash: str) -> None:
    """The limit holds again when the next segment is sealed."""
    settings = {"max_segment_bytes": "4KiB", "max_spool_bytes": "16KiB"}
    run_python(
        """
import os, sys
from telemetry_spool import Spool, quota
def die(*_, **__):
    os._exit(0)
for _ in range(2):
    Spool().append(b"x" * 4095)
if sys.argv[1] == "before the seal":
    os.rename = die
else:
    quota.enforce = die
while True:
    Spool().append(b"x" * 4095)
""",
        crash,
        environ=place.environ
        | {f"FLWR_TELEMETRY_{name.upper()}": value for name, value in settings.items()},
    )

    for _ in range(3):
        place.open(**settings).append(b"x" * 4095)

    assert len(place.sealed()) <= 4


def test_segments_of_one_event_stay_within_the_quota_in_the_long_run(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there are no locks, one event in 256 stands for all of them."""
    without_locks(monkeypatch)
    spool = place.open(max_spool_bytes="8KiB")

    for _ in range(20):
        spool.append(b"x" * 1023)

    assert len(place.sealed()) == 8
    assert sum(place.losses().values()) == 12


def test_segments_of_one_event_are_not_looked_through_again_and_again(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a file for each event, a look at all of them is dearest."""
    without_locks(monkeypatch)
    looks = count_looks(monkeypatch)
    spool = place.open(max_spool_bytes="1GiB")

    for _ in range(50):
        spool.append(b"x" * 1023)

    assert len(place.sealed()) == 50
    assert len(looks) == 2


def without_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the locks away, and let every event be the one in 256."""

    def flock(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    really_random = os.urandom
    monkeypatch.setattr("telemetry_spool.appending.flock", flock)
    monkeypatch.setattr(os, "urandom", lambda count: b"\0" if count == 1 else really_random(count))
