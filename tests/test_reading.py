"""Draining one segment: lines come back in any order, and a stop sends nothing twice."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.test_append import locked_by_another_process
from uploader.pieces import Piece, Shape
from uploader.reading import Busy, Reading
from uploader.terms import Terms

NAME = "20260310T120000Z-0123456789abcdef"
LIMIT = 2**16


def put(directory: Path, *lines: bytes, acked: bytes | None = None) -> Path:
    """Write a sealed segment, and its progress if there is any."""
    path = directory / f"{NAME}.jsonl"
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    if acked is not None:
        progress(path).write_bytes(acked)
    return path


def progress(path: Path) -> Path:
    """Return the path of a segment's progress file."""
    return path.with_suffix(".acked")


@contextmanager
def reading(path: Path) -> Iterator[Reading]:
    """Open a segment, and close it at the end of the block."""
    opened = Reading(str(path), limit=LIMIT)
    try:
        yield opened
    finally:
        opened.close()


def take(subject: Reading) -> Piece:
    """Take a line that must be there."""
    line = subject.take()
    assert line is not None
    return line


def take_all(subject: Reading) -> list[Piece]:
    """Take lines until there are none."""
    return list(iter(subject.take, None))


def data(lines: list[Piece]) -> list[bytes]:
    """Return what is in these lines."""
    return [line.data for line in lines]


def rest(path: Path) -> list[bytes]:
    """Open a segment as after a restart, and return the lines that are still to be sent."""
    with reading(path) as again:
        return data(take_all(again))


def test_lines_go_out_in_order(tmp_path: Path) -> None:
    """What was recorded first is sent first."""
    with reading(put(tmp_path, b"a", b"b", b"c")) as subject:
        assert data(take_all(subject)) == [b"a", b"b", b"c"]
        assert not subject.finished


def test_a_segment_is_finished_when_every_line_is_done(tmp_path: Path) -> None:
    """Not when the last one has been taken."""
    with reading(put(tmp_path, b"a", b"b")) as subject:
        first, second = take_all(subject)
        subject.done([second])
        assert not subject.finished

        subject.done([first])
        assert subject.finished


def test_a_segment_with_nothing_in_it_is_finished_at_once(tmp_path: Path) -> None:
    """It can be deleted."""
    with reading(put(tmp_path)) as subject:
        assert subject.take() is None
        assert subject.finished


def test_an_unread_segment_is_not_finished(tmp_path: Path) -> None:
    """Nobody knows yet what is in it."""
    with reading(put(tmp_path, b"a")) as subject:
        assert not subject.finished


def test_progress_is_the_end_of_the_last_line_of_the_accepted_prefix(tmp_path: Path) -> None:
    """A person can check it with `head -c`."""
    path = put(tmp_path, b"aaaa", b"bb", b"c")
    with reading(path) as subject:
        for _ in range(2):
            subject.done([take(subject)])
        subject.save()

    assert progress(path).read_bytes() == b"8\n"
    assert rest(path) == [b"c"]


def test_requests_that_overtook_others_are_not_sent_again(tmp_path: Path) -> None:
    """The first of three is under way when the uploader stops; the others are accepted."""
    path = put(tmp_path, b"a", b"b", b"c", b"d")
    with reading(path) as subject:
        _, second, third = (take(subject) for _ in range(3))
        subject.done([third])
        subject.done([second])
        subject.save()

    assert progress(path).read_bytes() == b"0 2 4\n"
    assert rest(path) == [b"a", b"d"]


def test_progress_over_several_stops_adds_up(tmp_path: Path) -> None:
    """Each run accepts one line more, every second one first, until nothing is left."""
    lines = [b"a", b"bb", b"ccc", b"dddd", b"e"]
    path = put(tmp_path, *lines)
    sent: list[bytes] = []
    for _ in lines:
        with reading(path) as subject:
            taken = take_all(subject)
            chosen = taken[1] if len(taken) > 1 else taken[0]
            sent.append(chosen.data)
            subject.done([chosen])
            subject.save()

    assert sorted(sent) == lines
    assert rest(path) == []


def test_a_line_without_end_is_the_last_one(tmp_path: Path) -> None:
    """Power may have been lost in the middle of it; what is there is handed out."""
    path = put(tmp_path, b"a")
    with path.open("ab") as file:
        file.write(b"half")

    assert rest(path) == [b"a", b"half"]


def test_a_line_that_comes_back_holds_up_no_other(tmp_path: Path) -> None:
    """An endpoint that never answers one event well still gets the others."""
    with reading(put(tmp_path, b"a", b"b", b"c")) as subject:
        first, second = take(subject), take(subject)
        subject.again(first)
        subject.again(second)

        assert [line.data for line in take_all(subject)] == [b"c"]
        assert [subject.take_again() for _ in range(2)] == [first, second]
        assert not subject.has_returned
        assert not subject.finished


def test_a_line_that_comes_back_after_the_last_is_not_forgotten(tmp_path: Path) -> None:
    """The end of the file is not the end of the work."""
    with reading(put(tmp_path, b"a")) as subject:
        (line,) = take_all(subject)
        subject.again(line)
        assert not subject.finished

        assert subject.take_again() == line
        subject.done([line])
        assert subject.finished


def test_a_line_that_waits_for_its_dead_letter_is_not_taken_again(tmp_path: Path) -> None:
    """It keeps its segment, and no other line."""
    with reading(put(tmp_path, b"a", b"b")) as subject:
        first, second = take_all(subject)
        subject.postpone(first)
        assert not subject.is_stuck(blocked=False)
        subject.done([second])

        assert (subject.take(), subject.has_returned) == (None, False)
        assert (subject.is_stuck(blocked=False), subject.finished) == (True, False)

        subject.done([first])
        assert (subject.is_stuck(blocked=False), subject.finished) == (False, True)


def test_what_was_postponed_and_is_done_at_last_does_not_make_the_rest_stuck(
    tmp_path: Path,
) -> None:
    """A dead letter that could be written at the second attempt: another line is under way."""
    with reading(put(tmp_path, b"a", b"b")) as subject:
        first, second = take_all(subject)
        subject.postpone(first)
        subject.done([first])

        assert not subject.is_stuck(blocked=False)

        subject.postpone(second)
        assert subject.is_stuck(blocked=False)


def test_what_waits_keeps_nothing_of_what_was_read_with_it(tmp_path: Path) -> None:
    """An event that the endpoint stumbles over for days would keep a block in memory."""
    path = put(tmp_path, *[b'{"n": %d}' % number for number in range(4)])
    with reading(path) as subject:
        first, second, *_ = take_all(subject)
        assert first.manifest is second.manifest

        subject.again(first)
        subject.postpone(second)

        assert [len(piece.manifest) for piece in (first, second)] == [1, 1]


def test_halves_that_wait_keep_nothing_of_each_other(tmp_path: Path) -> None:
    """Nor of the batches beside them."""
    path = put(tmp_path, *[b'{"n": %d}' % number for number in range(8)])
    subject = Reading(str(path), limit=LIMIT, shape=Shape(4, 2**20))
    batch = take(subject)
    assert len(batch.manifest) == 8

    subject.split(batch)

    halves = [subject.take_again(), subject.take_again()]
    subject.close()
    assert [(len(half.manifest), half.events) for half in halves] == [(2, 2), (2, 2)]
    assert [line for half in halves for line in half.lines()] == batch.lines()


def test_lines_are_done_many_at_once(tmp_path: Path) -> None:
    """In any order; the progress is what it is with one after the other."""
    path = put(tmp_path, b"a", b"b", b"c", b"d", b"e")
    with reading(path) as subject:
        first, *others, last = take_all(subject)
        subject.done(others[::-1])
        subject.save()
        assert progress(path).read_bytes() == b"0 2 4 6\n"

        subject.done([last, first])
        assert subject.finished
        assert subject.held == 0


def test_nothing_is_written_before_there_is_progress(tmp_path: Path) -> None:
    """Reading a segment leaves the directory as it was."""
    path = put(tmp_path, b"a")
    with reading(path) as subject:
        subject.take()
        subject.save()

    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "acked",
    [
        pytest.param(b"garbage\n", id="garbage"),
        pytest.param(b"", id="empty"),
        pytest.param(b"-2\n", id="negative"),
        pytest.param(b"3\n", id="in the middle of a line"),
        pytest.param(b"99\n", id="behind the end"),
        pytest.param(b"\x00\x00\x00\x00", id="zeros after a crash"),
    ],
)
def test_progress_that_cannot_be_meant_is_none(tmp_path: Path, acked: bytes) -> None:
    """Everything is sent, some of it perhaps again: the key makes that harmless."""
    assert rest(put(tmp_path, b"a", b"b", b"c", acked=acked)) == [b"a", b"b", b"c"]


@pytest.mark.parametrize("acked", [b"2 1 3 99\n", b"2 2 2 -7\n"], ids=["no starts", "repeated"])
def test_single_lines_that_do_not_exist_are_passed_over(tmp_path: Path, acked: bytes) -> None:
    """Only the beginning of a line can be one that was accepted."""
    expected = [b"c"] if b"2 2" in acked else [b"b", b"c"]

    assert rest(put(tmp_path, b"a", b"b", b"c", acked=acked)) == expected


def test_a_number_that_was_cut_is_not_taken_for_another(tmp_path: Path) -> None:
    """Of a progress file only so much is read; the end of that is perhaps half a number."""
    read_at_once = 2**20
    acked = b"0 " + b"4 " * ((read_at_once - 3) // 2) + b" 24\n"
    assert acked[:read_at_once].endswith(b" 2")

    assert rest(put(tmp_path, b"a", b"b", b"c", acked=acked)) == [b"a", b"b"]


def test_a_locked_segment_is_busy(tmp_path: Path) -> None:
    """A writer may be about to append, or the quota about to delete it."""
    path = put(tmp_path, b"a")

    with locked_by_another_process(path), pytest.raises(Busy):
        Reading(str(path), limit=LIMIT)

    assert rest(path) == [b"a"]


def test_only_one_reads_a_segment(tmp_path: Path) -> None:
    """Two that read it would send it twice."""
    path = put(tmp_path, b"a")

    with reading(path), pytest.raises(Busy):
        Reading(str(path), limit=LIMIT)


def test_a_deleted_segment_takes_its_progress_with_it(tmp_path: Path) -> None:
    """Nothing of it is left."""
    path = put(tmp_path, b"a", b"b", acked=b"2\n")
    with reading(path) as subject:
        subject.delete()

    assert list(tmp_path.iterdir()) == []


def shared(path: Path, **terms: object) -> Reading:
    """Open a segment on the terms of a shared spool, as its owner's."""
    defaults = {"owner": os.geteuid(), "progress": str(path.parent / "progress")}
    return Reading(str(path), limit=LIMIT, terms=Terms(**(defaults | terms)))  # type: ignore[arg-type]


def test_in_a_shared_spool_nothing_is_read_that_came_after_the_lock(tmp_path: Path) -> None:
    """Its owner may append for ever, and nobody else waits for the end."""
    path = put(tmp_path, b"a", b"b")
    subject = shared(path)
    with path.open("ab") as file:
        file.write(b"c\n" * 1000)

    assert [line.data for line in take_all(subject)] == [b"a", b"b"]
    assert subject.at_end
    subject.close()


def test_in_a_shared_spool_progress_is_kept_out_of_it(tmp_path: Path) -> None:
    """What lies beside the segment is somebody's word for what was sent."""
    path = put(tmp_path, b"a", b"b")
    (tmp_path / "progress").mkdir()
    path.with_suffix(".acked").write_text("2\n")
    subject = shared(path)
    first, second = take_all(subject)
    subject.done([first])
    subject.save()
    subject.close()

    again = shared(path)
    assert [line.data for line in take_all(again)] == [second.data]
    again.close()
    assert path.with_suffix(".acked").read_text() == "2\n"


@pytest.mark.parametrize("terms", [{"owner": os.geteuid() + 1}, {"max_bytes": 3}])
def test_in_a_shared_spool_a_segment_must_be_its_owners_and_within_the_quota(
    tmp_path: Path, terms: dict[str, int]
) -> None:
    """It may have been swapped since it was listed."""
    with pytest.raises(PermissionError):
        shared(put(tmp_path, b"a", b"b"), **terms)


def test_in_a_shared_spool_a_file_with_another_link_is_not_read(tmp_path: Path) -> None:
    """It may be anybody's, and reading ends with emptying."""
    path = put(tmp_path, b"a")
    os.link(path, tmp_path / "elsewhere")

    with pytest.raises(PermissionError):
        shared(path, group=os.stat(path).st_gid)


def test_in_a_shared_spool_what_took_the_place_of_a_segment_stays(tmp_path: Path) -> None:
    """Only what was read is emptied."""
    path = put(tmp_path, b"a")
    subject = shared(path)
    for line in take_all(subject):
        subject.done([line])
    path.rename(tmp_path / "renamed")
    path.write_bytes(b"b\n")

    with pytest.raises(FileNotFoundError):
        subject.delete()

    subject.close()
    assert path.read_bytes() == b"b\n"


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    """Whatever it leads to, and in whatever spool."""
    target = put(tmp_path, b"a").rename(tmp_path / "target")
    (tmp_path / "link.jsonl").symlink_to(target)

    with pytest.raises(OSError, match="symbolic links"):
        shared(tmp_path / "link.jsonl")
