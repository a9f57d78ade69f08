"""The backlog: lines across segments, the oldest first, and no bad file in the way of another."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from telemetry_spool.listing import list_segments
from tests.test_append import locked_by_another_process
from uploader.backlog import Backlog
from uploader.pieces import Piece

LIMIT = 2**16


def name(number: int, suffix: str = ".jsonl") -> str:
    """Return the name of the sealed segment with this number, in the order of time."""
    return f"20260310T1200{number:02d}Z-{number:016x}{suffix}"


def put(directory: Path, number: int, *lines: bytes) -> Path:
    """Write a sealed segment."""
    path = directory / name(number)
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    return path


@pytest.fixture
def backlog() -> Iterator[Backlog]:
    """Return a backlog that knows nothing yet."""
    subject = Backlog(limit=LIMIT)
    yield subject
    subject.close()


def refresh(backlog: Backlog, directory: Path) -> None:
    """Let the backlog look at a directory."""
    backlog.refresh(list_segments(str(directory)))


def take_all(backlog: Backlog) -> list[Piece]:
    """Take lines until there are none."""
    return list(iter(backlog.take, None))


def data(pieces: list[Piece]) -> list[bytes]:
    """Return what is in these lines."""
    return [piece.data for piece in pieces]


def accept(pieces: list[Piece]) -> None:
    """Note that these lines are dealt with."""
    for piece in pieces:
        piece.reading.done([piece])


def remove_finished(backlog: Backlog) -> None:
    """Delete what is finished, as the engine does."""
    for reading in backlog.finished():
        backlog.remove(reading)


def test_the_oldest_segment_goes_first(backlog: Backlog, tmp_path: Path) -> None:
    """Events arrive about in the order in which they happened."""
    put(tmp_path, 2, b"c")
    put(tmp_path, 1, b"a", b"b")
    refresh(backlog, tmp_path)

    assert data(take_all(backlog)) == [b"a", b"b", b"c"]


def test_only_sealed_segments_are_read(backlog: Backlog, tmp_path: Path) -> None:
    """Active ones belong to their writers, those of mode `local` to their user."""
    for other in ("host.1.active.jsonl", "host.1.local.jsonl", name(1, ".local.jsonl"), "x.jsonl"):
        (tmp_path / other).write_bytes(b"{}\n")
    refresh(backlog, tmp_path)

    assert take_all(backlog) == []
    assert backlog.empty


def test_a_segment_goes_when_all_of_it_is_accepted(backlog: Backlog, tmp_path: Path) -> None:
    """And not before: the other one has a line under way."""
    first, second = put(tmp_path, 1, b"a", b"b"), put(tmp_path, 2, b"c")
    refresh(backlog, tmp_path)
    pieces = take_all(backlog)

    accept([pieces[0], pieces[2]])
    remove_finished(backlog)
    assert (first.exists(), second.exists()) == (True, False)
    assert not backlog.empty

    accept([pieces[1]])
    remove_finished(backlog)
    assert list(tmp_path.iterdir()) == []
    assert backlog.empty


def test_a_line_that_came_back_goes_behind_another(backlog: Backlog, tmp_path: Path) -> None:
    """The endpoint may stumble over that line alone: another one finds out."""
    put(tmp_path, 1, b"a", b"b", b"c", b"d")
    refresh(backlog, tmp_path)
    failed, *_ = taken = [backlog.take() for _ in range(2)]
    assert failed is not None

    backlog.again(failed)
    taken += [backlog.take() for _ in range(3)]

    assert data([piece for piece in taken if piece]) == [b"a", b"b", b"c", b"a", b"d"]


def test_no_stream_of_new_lines_holds_up_those_that_came_back(
    backlog: Backlog, tmp_path: Path
) -> None:
    """With writers ahead of it for hours, an uploader of a flapping endpoint finishes segments."""
    most = 0
    for number in range(1, 60):
        put(tmp_path, number, *(b"%d" % count for count in range(10)))
        refresh(backlog, tmp_path)
        for count in range(13):
            piece = backlog.take()
            assert piece is not None
            if count % 4 == 0:
                backlog.again(piece)
            else:
                piece.reading.done([piece])
        remove_finished(backlog)
        most = max(most, len(list(tmp_path.iterdir())))

    assert most < 10


def test_a_refresh_does_not_hand_out_lines_again(backlog: Backlog, tmp_path: Path) -> None:
    """A segment that is being sent stays in the directory until all of it is accepted."""
    put(tmp_path, 1, b"a")
    refresh(backlog, tmp_path)
    take_all(backlog)

    refresh(backlog, tmp_path)

    assert take_all(backlog) == []


def test_a_refresh_finds_new_segments_and_forgets_deleted_ones(
    backlog: Backlog, tmp_path: Path
) -> None:
    """The directory is the truth: the quota may have deleted what waited."""
    put(tmp_path, 1, b"a").unlink()
    put(tmp_path, 2, b"b")
    refresh(backlog, tmp_path)
    (tmp_path / name(2)).unlink()
    put(tmp_path, 3, b"c")
    assert take_all(backlog) == []

    refresh(backlog, tmp_path)

    assert data(take_all(backlog)) == [b"c"]


def put_directory(path: Path) -> None:
    """Make a directory."""
    path.mkdir()


def put_fifo(path: Path) -> None:
    """Make a FIFO that nobody writes."""
    os.mkfifo(path)


def put_link(path: Path) -> None:
    """Make a link to a file with an event in it."""
    elsewhere = path.parent.parent / "elsewhere.jsonl"
    elsewhere.write_bytes(b"secret\n")
    path.symlink_to(elsewhere)


def put_dangling_link(path: Path) -> None:
    """Make a link to nothing."""
    path.symlink_to("nowhere")


@pytest.mark.parametrize("make", [put_directory, put_fifo, put_link, put_dangling_link])
def test_what_is_no_file_stops_no_segment(
    backlog: Backlog, tmp_path: Path, make: Callable[[Path], None]
) -> None:
    """It is neither waited for, nor followed, nor deleted."""
    spool = tmp_path / "spool"
    spool.mkdir()
    make(spool / name(1))
    put(spool, 2, b"a")
    refresh(backlog, spool)

    pieces = take_all(backlog)
    accept(pieces)
    remove_finished(backlog)

    assert data(pieces) == [b"a"]
    assert [path.name for path in spool.iterdir()] == [name(1)]
    assert backlog.empty


def test_a_locked_segment_waits_for_the_next_look(backlog: Backlog, tmp_path: Path) -> None:
    """And the others do not wait for it."""
    locked = put(tmp_path, 1, b"a")
    put(tmp_path, 2, b"b")

    with locked_by_another_process(locked):
        refresh(backlog, tmp_path)
        assert data(take_all(backlog)) == [b"b"]
    refresh(backlog, tmp_path)

    assert data(take_all(backlog)) == [b"a"]


def test_progress_is_saved_for_every_open_segment(backlog: Backlog, tmp_path: Path) -> None:
    """After a stop only what was not accepted is sent."""
    put(tmp_path, 1, b"a", b"b")
    put(tmp_path, 2, b"c", b"d")
    refresh(backlog, tmp_path)
    pieces = take_all(backlog)
    accept([pieces[0], pieces[3]])

    backlog.save()
    backlog.close()
    refresh(backlog, tmp_path)

    assert data(take_all(backlog)) == [b"b", b"c"]


def test_a_progress_file_that_cannot_be_written_stops_nothing(
    backlog: Backlog, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It costs duplicates after a crash, and the log says once which file it is."""
    path = put(tmp_path, 1, b"a", b"b")
    path.with_suffix(".acked").mkdir()
    refresh(backlog, tmp_path)
    pieces = take_all(backlog)
    for piece in pieces:
        accept([piece])
        backlog.save()

    assert data(pieces) == [b"a", b"b"]
    assert [record.getMessage() for record in caplog.records] == [
        f"{path} cannot be given a progress file: Is a directory"
    ]


def test_a_segment_that_cannot_be_deleted_is_not_sent_again(
    backlog: Backlog, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It stays known as done, and is deleted as soon as that is possible."""
    path = put(tmp_path, 1, b"a")
    refresh(backlog, tmp_path)
    accept(take_all(backlog))
    moved = path.rename(tmp_path / "moved")
    path.mkdir()

    remove_finished(backlog)
    remove_finished(backlog)
    assert take_all(backlog) == []
    assert [record.getMessage() for record in caplog.records] == [
        f"{path} cannot be deleted: Is a directory"
    ]

    path.rmdir()
    moved.rename(path)
    refresh(backlog, tmp_path)
    remove_finished(backlog)
    assert path.exists(), "a sign from the file system may come from the attempt itself"
    backlog.retry()
    remove_finished(backlog)
    assert list(tmp_path.iterdir()) == []


def test_a_segment_that_somebody_deleted_is_done_with(
    backlog: Backlog, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A person may clear the spool by hand; nothing is left to do about it."""
    path = put(tmp_path, 1, b"a")
    refresh(backlog, tmp_path)
    pieces = take_all(backlog)
    path.unlink()
    accept(pieces)

    remove_finished(backlog)

    assert backlog.empty
    assert caplog.records == []
