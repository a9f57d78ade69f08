"""Daily files of JSON lines: whole batches, bounded parts, what is to go when they grow."""

from __future__ import annotations

import errno
import json
import os
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from telemetry_spool.journal import Journal

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


def journal(directory: Path, *, max_bytes: int = 10**9, max_days: int = 90) -> Journal:
    """Return a journal in a directory that need not exist."""
    return Journal(directory / "receipts", max_bytes, max_days)


def names(directory: Path) -> list[str]:
    """Return the names of all files, sorted as text."""
    return sorted(path.name for path in (directory / "receipts").iterdir())


def put(directory: Path, name: str, size: int) -> Path:
    """Write a file of the journal."""
    path = directory / "receipts" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"x" * size)
    return path


def test_records_are_lines_of_the_day(tmp_path: Path) -> None:
    """Each day has its file, in UTC, private to the user."""
    journal(tmp_path).append([{"n": 0}, {"n": 1}], NOON)
    journal(tmp_path).append([{"n": 2}], NOON)
    journal(tmp_path).append([{"n": 3}], NOON + timedelta(days=1))

    first, second = journal(tmp_path).files()
    assert (first.name, second.name) == ("2026-03-10.jsonl", "2026-03-11.jsonl")
    assert [json.loads(line)["n"] for line in first.read_text().splitlines()] == [0, 1, 2]
    assert second.read_text() == '{"n": 3}\n'
    assert stat.S_IMODE(first.stat().st_mode) == 0o600
    assert stat.S_IMODE(first.parent.stat().st_mode) == 0o700


def test_nothing_to_write_makes_nothing(tmp_path: Path) -> None:
    """An empty batch leaves no directory behind."""
    journal(tmp_path).append([], NOON)

    assert list(tmp_path.iterdir()) == []


def test_text_of_any_kind_stays_one_line(tmp_path: Path) -> None:
    """A reason with newlines or half a surrogate pair cannot break the file."""
    record = {"reason": "a\nb\u2028c\udcff"}

    journal(tmp_path).append([record], NOON)

    (line,) = journal(tmp_path).files()[0].read_bytes().splitlines()
    assert json.loads(line) == record


def test_a_full_file_is_continued_in_a_part(tmp_path: Path) -> None:
    """A part of 8 MiB still opens in an editor; the tenth part sorts behind the ninth."""
    put(tmp_path, "2026-03-10.jsonl", 8 * 2**20)
    for part in range(1, 10):
        put(tmp_path, f"2026-03-10.{part}.jsonl", 8 * 2**20)

    journal(tmp_path).append([{"n": 0}], NOON)

    files = journal(tmp_path).files()
    assert files[-1].name == "2026-03-10.10.jsonl"
    assert files[-1].read_text() == '{"n": 0}\n'


def test_records_go_behind_the_last_part_when_earlier_ones_were_deleted(tmp_path: Path) -> None:
    """The newest record must be in the newest file, or it would be the first to be deleted."""
    put(tmp_path, "2026-03-10.2.jsonl", 8 * 2**20)
    put(tmp_path, "2026-03-10.3.jsonl", 10)

    journal(tmp_path).append([{"n": 0}], NOON)

    assert names(tmp_path) == ["2026-03-10.2.jsonl", "2026-03-10.3.jsonl"]


def test_the_oldest_are_in_excess_beyond_the_size(tmp_path: Path) -> None:
    """Just as many as it takes, in the order of time."""
    for day in (1, 2, 3, 4):
        put(tmp_path, f"2026-03-0{day}.jsonl", 100)

    excess = journal(tmp_path, max_bytes=250).excess(NOON)

    assert [path.name for path in excess] == ["2026-03-01.jsonl", "2026-03-02.jsonl"]


@pytest.mark.parametrize("now", [NOON.replace(year=1970), NOON.replace(year=2099)])
def test_a_clock_that_jumps_deletes_nothing(tmp_path: Path, now: datetime) -> None:
    """Dead letters are the only copy: their age is counted from the newest of them."""
    for day in (1, 2, 3):
        put(tmp_path, f"2026-03-0{day}.jsonl", 100)

    assert journal(tmp_path, max_days=7).excess(now) == []


def test_what_is_too_old_is_in_excess(tmp_path: Path) -> None:
    """Exactly `max_days` old is still kept."""
    for day in (1, 2, 3, 9):
        put(tmp_path, f"2026-03-0{day}.jsonl", 100)

    excess = journal(tmp_path, max_days=7).excess(NOON)

    assert [path.name for path in excess] == ["2026-03-01.jsonl"]


def test_the_newest_file_is_never_in_excess(tmp_path: Path) -> None:
    """However large and old: it is the one that is written."""
    put(tmp_path, "2020-01-01.jsonl", 1000)

    assert journal(tmp_path, max_bytes=1, max_days=1).excess(NOON) == []


def test_unknown_files_are_no_part_of_the_journal(tmp_path: Path) -> None:
    """They neither count nor go."""
    for name in ("notes.txt", "2026-03-01.jsonl.bak", "2026-3-1.jsonl", "x2026-03-01.jsonl"):
        put(tmp_path, name, 1000)
    put(tmp_path, "2026-03-02.jsonl", 100)

    assert [path.name for path in journal(tmp_path).files()] == ["2026-03-02.jsonl"]
    assert journal(tmp_path, max_bytes=500).excess(NOON) == []


def test_a_journal_without_a_directory_is_empty(tmp_path: Path) -> None:
    """Nothing was written yet."""
    assert journal(tmp_path).files() == []
    assert journal(tmp_path).excess(NOON) == []


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL])
def test_records_are_written_where_there_are_no_locks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """A loss on such a file system must not stay unwritten for ever."""

    def flock(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("telemetry_spool.appending.flock", flock)
    for record in ({"n": 0}, {"n": 1}):
        journal(tmp_path).append([record], NOON)

    assert names(tmp_path) == ["2026-03-10.jsonl"]
    assert (tmp_path / "receipts" / "2026-03-10.jsonl").read_text() == '{"n": 0}\n{"n": 1}\n'
