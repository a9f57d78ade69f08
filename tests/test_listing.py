"""Looking into a spool directory while others change it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from telemetry_spool.listing import list_segments, open_segment, pending_lines
from telemetry_spool.paths import Kind

FIRST = "20260101T000000Z-0000000000000001.jsonl"
SECOND = "20260102T000000Z-0000000000000000.jsonl"


def test_segments_are_listed_with_what_the_directory_says_of_them(tmp_path: Path) -> None:
    """Sealed ones in the order of time, and nothing that is no segment."""
    (tmp_path / SECOND).write_bytes(b"{}\n{}\n")
    (tmp_path / FIRST).write_bytes(b"{}\n")
    (tmp_path / "host.1.local.jsonl").write_bytes(b"")
    for name in ("uploader.lock", "notes.txt", FIRST.replace(".jsonl", ".acked")):
        (tmp_path / name).write_bytes(b"0\n")
    os.utime(tmp_path / FIRST, (1000, 2000))

    segments = list_segments(str(tmp_path))

    assert [(segment.name, segment.kind, segment.size) for segment in segments] == [
        (FIRST, Kind.SEALED, 3),
        (SECOND, Kind.SEALED, 6),
        ("host.1.local.jsonl", Kind.ACTIVE_LOCAL, 0),
    ]
    assert segments[0].path == str(tmp_path / FIRST)
    assert segments[0].modified == 2000


def test_an_absent_directory_has_no_segments(tmp_path: Path) -> None:
    """Nothing was recorded yet."""
    assert list_segments(str(tmp_path / "absent")) == []


def test_a_directory_that_is_none_is_an_error(tmp_path: Path) -> None:
    """An operator should hear of it."""
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(NotADirectoryError):
        list_segments(str(tmp_path / "file"))


def test_pending_are_the_lines_that_the_progress_does_not_cover(tmp_path: Path) -> None:
    """Neither what is before the offset nor the single lines beyond it."""
    (tmp_path / FIRST).write_bytes(b"1\n2\n3\n4\n")
    (tmp_path / FIRST.replace(".jsonl", ".acked")).write_bytes(b"2 4\n")
    (segment,) = list_segments(str(tmp_path))

    assert [line.data for line in pending_lines(segment, limit=100)] == [b"2", b"4"]


def test_a_segment_that_is_gone_since_it_was_listed_has_no_lines(tmp_path: Path) -> None:
    """An uploader may have sent it meanwhile."""
    (tmp_path / FIRST).write_bytes(b"1\n")
    (segment,) = list_segments(str(tmp_path))
    (tmp_path / FIRST).unlink()

    assert list(pending_lines(segment, limit=100)) == []


def test_a_link_is_not_opened(tmp_path: Path) -> None:
    """A name in a shared directory must not make anybody read another file."""
    (tmp_path / "elsewhere").write_bytes(b"secret\n")
    (tmp_path / FIRST).symlink_to("elsewhere")

    with pytest.raises(OSError, match="symbolic links"):
        open_segment(str(tmp_path / FIRST))


def test_a_fifo_is_not_waited_for(tmp_path: Path) -> None:
    """Opening it comes back at once, with nothing to read."""
    os.mkfifo(tmp_path / FIRST)

    descriptor = open_segment(str(tmp_path / FIRST))

    assert os.read(descriptor, 10) == b""
    os.close(descriptor)
