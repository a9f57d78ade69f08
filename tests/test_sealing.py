"""Sealing from outside: an active segment becomes immutable while nobody holds it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from telemetry_spool.listing import QUIET_SECONDS, list_segments
from telemetry_spool.paths import Kind
from tests.test_append import locked_by_another_process
from uploader.sealing import seal_active

HERE = "this-host"
OURS = f"{HERE}.1000.active.jsonl"
ANOTHER_USERS = f"{HERE}.1001.active.jsonl"
ELSEWHERE = "other-host.1000.active.jsonl"
SEALED = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{16}\.jsonl")

WRITTEN_AT = 1_700_000_000.0


def put(directory: Path, name: str, content: bytes = b"{}\n") -> Path:
    """Write a file that was last appended to at `WRITTEN_AT`."""
    path = directory / name
    path.write_bytes(content)
    os.utime(path, (WRITTEN_AT, WRITTEN_AT))
    return path


def seal(directory: Path, *, now: float = WRITTEN_AT) -> int:
    """Seal what can be sealed in a directory; return how many segments that were."""
    segments = list_segments(str(directory))
    return len(seal_active(segments, host=HERE, now=now, complain=unexpected))


def unexpected(path: str, error: OSError) -> None:
    """Fail: nothing here is to be complained about."""
    pytest.fail(f"{path}: {error}")


def names(directory: Path) -> list[str]:
    """Return the names in a directory; a sealed segment is called that."""
    return sorted(SEALED.sub("sealed", path.name) for path in directory.iterdir())


def test_an_active_segment_becomes_a_sealed_one(tmp_path: Path) -> None:
    """The same file under a name that sorts by time."""
    inode = put(tmp_path, OURS, b"{}\n{}\n").stat().st_ino

    assert seal(tmp_path) == 1

    (segment,) = list_segments(str(tmp_path))
    assert segment.kind is Kind.SEALED
    assert Path(segment.path).read_bytes() == b"{}\n{}\n"
    assert Path(segment.path).stat().st_ino == inode


def test_every_user_of_this_host_is_served(tmp_path: Path) -> None:
    """A daemon of the site seals the segments of all users."""
    put(tmp_path, OURS)
    put(tmp_path, ANOTHER_USERS)

    assert seal(tmp_path) == 2
    assert names(tmp_path) == ["sealed", "sealed"]


@pytest.mark.parametrize(
    "name",
    [
        f"{HERE}.1000.local.jsonl",
        "20260310T120000Z-0123456789abcdef.jsonl",
        "20260310T120000Z-0123456789abcdef.local.jsonl",
        "notes.txt",
    ],
)
def test_nothing_else_is_touched(tmp_path: Path, name: str) -> None:
    """Least of all what was recorded in mode `local`."""
    put(tmp_path, name)
    before = [path.name for path in tmp_path.iterdir()]

    assert seal(tmp_path) == 0
    assert [path.name for path in tmp_path.iterdir()] == before


def test_an_empty_segment_is_left(tmp_path: Path) -> None:
    """A file for nothing would be one more for each look."""
    put(tmp_path, OURS, b"")

    assert seal(tmp_path) == 0
    assert names(tmp_path) == [OURS]


def test_a_segment_in_use_is_left_and_stops_no_other(tmp_path: Path) -> None:
    """Its writer has it for some microseconds; the next look finds it free."""
    held = put(tmp_path, OURS)
    put(tmp_path, ANOTHER_USERS)

    with locked_by_another_process(held):
        assert seal(tmp_path) == 1
        assert names(tmp_path) == ["sealed", OURS]

    assert seal(tmp_path) == 1
    assert names(tmp_path) == ["sealed", "sealed"]


@pytest.mark.parametrize(
    ("age", "expected"),
    [(0.0, 0), (QUIET_SECONDS - 1, 0), (QUIET_SECONDS, 1), (86_400.0, 1), (-86_400.0, 1)],
)
def test_another_hosts_segment_must_have_been_quiet(
    tmp_path: Path, age: float, expected: int
) -> None:
    """Its locks may not reach this host."""
    put(tmp_path, ELSEWHERE)

    assert seal(tmp_path, now=WRITTEN_AT + age) == expected


@pytest.mark.parametrize("age", [-3600.0, 0.0])
def test_this_hosts_segment_need_not_be_quiet(tmp_path: Path, age: float) -> None:
    """Its lock is reliable, even if its clock is not."""
    put(tmp_path, OURS)

    assert seal(tmp_path, now=WRITTEN_AT + age) == 1


def test_a_segment_that_is_gone_stops_no_other(tmp_path: Path) -> None:
    """A writer has sealed it since it was listed."""
    gone = put(tmp_path, OURS)
    put(tmp_path, ANOTHER_USERS)
    listed = list_segments(str(tmp_path))
    gone.unlink()

    (sealed,) = seal_active(listed, host=HERE, now=WRITTEN_AT, complain=unexpected)

    assert [str(path) for path in tmp_path.iterdir()] == [sealed.path]
    assert names(tmp_path) == ["sealed"]


def put_directory(path: Path) -> None:
    """Make a directory with something in it."""
    path.mkdir()
    (path / "file").write_bytes(b"x")


def put_fifo(path: Path) -> None:
    """Make a FIFO that nobody writes."""
    os.mkfifo(path)


def put_link(path: Path) -> None:
    """Make a link to somebody's file."""
    elsewhere = path.parent.parent / "elsewhere"
    elsewhere.write_bytes(b"secret\n")
    path.symlink_to(elsewhere)


@pytest.mark.parametrize("make", [put_directory, put_fifo, put_link])
def test_what_is_no_file_is_left_and_stops_no_segment(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    """Anybody can put anything into a shared drop box."""
    spool = tmp_path / "spool"
    spool.mkdir()
    make(spool / OURS)
    put(spool, ANOTHER_USERS)

    assert seal(spool) == 1
    assert names(spool) == ["sealed", OURS]


def test_what_cannot_be_opened_is_told_and_stops_no_segment(tmp_path: Path) -> None:
    """A link that took a segment's place since it was listed, say."""
    put(tmp_path, OURS)
    put(tmp_path, ANOTHER_USERS)
    listed = list_segments(str(tmp_path))
    (tmp_path / OURS).unlink()
    (tmp_path / OURS).symlink_to(tmp_path / ANOTHER_USERS)
    told: list[str] = []

    sealed = seal_active(
        listed, host=HERE, now=WRITTEN_AT, complain=lambda path, _: told.append(path)
    )

    assert len(sealed) == 1
    assert told == [str(tmp_path / OURS)]
