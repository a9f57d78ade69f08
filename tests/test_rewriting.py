"""Rewriting a journal: exactly the chosen lines, beside those who append."""

from __future__ import annotations

import fcntl
import json
import os
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from telemetry_spool import rewriting
from telemetry_spool.journal import Journal
from telemetry_spool.rewriting import rewrite

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    """Return a journal of two days with two records each."""
    made = Journal(tmp_path / "receipts", 10**9, 90)
    for day in (10, 11):
        made.append([{"day": day, "n": n} for n in range(2)], NOON.replace(day=day))
    return made


def records(journal: Journal) -> list[dict[str, int]]:
    """Return every record."""
    return [json.loads(line) for path in journal.files() for line in path.read_bytes().splitlines()]


def without_ones(line: bytes) -> bytes | None:
    """Delete records with n = 1."""
    return None if b'"n": 1}' in line else line


def test_chosen_lines_go_and_others_stay(journal: Journal) -> None:
    """In every file; nothing else is left behind."""
    done = rewrite(journal, without_ones)

    assert (done.lines, done.failures) == (2, [])
    assert records(journal) == [{"day": 10, "n": 0}, {"day": 11, "n": 0}]
    assert sorted(os.listdir(journal.directory)) == ["2026-03-10.jsonl", "2026-03-11.jsonl"]
    assert {path.stat().st_mode & 0o777 for path in journal.files()} == {0o600}


def test_a_line_can_be_replaced(journal: Journal) -> None:
    """By another."""
    assert rewrite(journal, lambda line: line.replace(b'"n": 1', b'"n": 7')).lines == 2
    assert [record["n"] for record in records(journal)] == [0, 7, 0, 7]


def test_a_file_with_nothing_left_goes(journal: Journal) -> None:
    """The others are not touched."""
    _, second = journal.files()
    before = second.stat()

    done = rewrite(journal, lambda line: None if b'"day": 10' in line else line)

    assert (done.lines, journal.files()) == (2, [second])
    assert second.stat().st_ino == before.st_ino


def test_a_file_in_use_is_named(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a bounded wait; the others are changed."""
    monkeypatch.setattr(rewriting, "_PATIENCE_SECONDS", 0.05)
    first, _ = journal.files()
    with first.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)

        done = rewrite(journal, without_ones)

    assert (done.lines, done.failures) == (1, [f"{first} is in use; try again later"])
    assert len(records(journal)) == 3


def test_a_full_disk_changes_nothing(small_disk: Path) -> None:
    """And is said in one line; what goes whole needs no room."""
    journal = Journal(small_disk / "receipts", 10**9, 90)
    journal.append([{"n": n} for n in range(300)], NOON)
    (path,) = journal.files()
    content = path.read_bytes()
    with pytest.raises(OSError, match="No space"):
        (small_disk / "ballast").write_bytes(b"x" * 2**20)

    done = rewrite(journal, without_ones)

    assert (done.lines, path.read_bytes()) == (0, content)
    assert done.failures == [f"{path} cannot be changed: No space left on device"]
    assert os.listdir(journal.directory) == [path.name]
    assert rewrite(journal, lambda _: None).lines == 300
    assert journal.files() == []


def test_nobody_who_appends_loses_a_record(journal: Journal) -> None:
    """Whoever opened a file before it was replaced opens it again."""
    written = 400

    def append() -> None:
        for number in range(written):
            journal.append([{"day": 11, "n": 1}, {"day": 11, "n": number + 2}], NOON)

    writer = threading.Thread(target=append)
    writer.start()
    removed = 0
    while writer.is_alive():
        removed += rewrite(journal, without_ones).lines
    writer.join()
    removed += rewrite(journal, without_ones).lines

    assert removed == written + 2
    assert len(records(journal)) == written + 2


def test_who_has_a_file_open_finds_it_emptied(journal: Journal) -> None:
    """What was deleted is gone for a reader of the old file, too."""
    first, _ = journal.files()
    with first.open("rb") as before:
        rewrite(journal, without_ones)

        assert os.fstat(before.fileno()).st_nlink == 0
        assert before.read() == b""
