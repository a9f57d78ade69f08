"""Cutting segments: whatever is in one, every line goes into one piece, in order, and once."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry_spool.acks import Ack
from tests.support.events import event
from uploader.pieces import SINGLE, Piece, Shape, blocks

WHOLE = 2**20

# Flower's lines are longer, but as many bytes find as many ways to be cut.
_GOOD = st.one_of(
    st.integers(0, 10**12).map(lambda number: json.dumps({"n": number}).encode()),
    st.integers(0, 70).map(lambda length: json.dumps({"event_type": "x" * length}).encode()),
    st.just(b"{}"),
    st.just(event("A")),
)
_BAD = st.one_of(
    st.sampled_from([b"[]", b"x", b" ", b'{"a": NaN', b'{"a": "\xff"}', b"\x00", b"\r"]),
    st.binary(min_size=1, max_size=40).map(lambda line: line.replace(b"\n", b"?")),
)
_LINES = st.lists(st.one_of(_GOOD, _GOOD, _GOOD, _BAD, st.just(b"")), max_size=25)
_SHAPES = st.builds(
    Shape, st.one_of(st.none(), st.integers(1, 30)), st.sampled_from([1, 7, 40, 100, 300, WHOLE])
)


@dataclass(frozen=True, slots=True)
class Expected:
    """One line of a segment as the model has it."""

    start: int
    end: int
    data: bytes


def lines_of(content: bytes) -> list[Expected]:
    """Return the lines of a segment that have something in them, read the plainest way."""
    found, start = [], 0
    for line in content.split(b"\n"):
        end = min(start + len(line) + 1, len(content))
        if line:
            found.append(Expected(start, end, line))
        start = end
    return found


def is_event(line: bytes, limit: int) -> bool:
    """Tell whether a line is one JSON object in UTF-8, and no longer than allowed."""
    try:
        return len(line) <= limit and isinstance(json.loads(line.decode()), dict)
    except ValueError:
        return False


@contextmanager
def segment(content: bytes) -> Iterator[int]:
    """Return the descriptor of a file with this content."""
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.flush()
        yield file.fileno()


def cut(
    content: bytes,
    shape: Shape,
    ack: Ack | None = None,
    *,
    limit: int = WHOLE,
    stop: int = sys.maxsize,
) -> list[Piece]:
    """Return all the pieces of a segment with this content."""
    with segment(content) as descriptor:
        found = blocks(descriptor, ack or Ack(), shape, limit=limit, stop=stop)
        return [piece for block in found for piece in block]


@st.composite
def acked(draw: st.DrawFn, content: bytes) -> Ack:
    """Return progress as there may be in this segment, or beside it."""
    starts = [line.start for line in lines_of(content)]
    offset = draw(st.sampled_from([0, *starts, len(content)]))
    beyond = draw(st.sets(st.sampled_from([*starts, 1, len(content) + 5])))
    return Ack(offset, frozenset(beyond))


@st.composite
def cases(draw: st.DrawFn) -> tuple[bytes, Ack, Shape, int]:
    """Return a segment's content, its progress, the shape of requests, and the limit of lines."""
    content = b"\n".join(draw(_LINES)) + draw(st.sampled_from([b"\n", b"", b"\n\n"]))
    limit = draw(st.sampled_from([5, 20, 60, WHOLE]))
    return content, draw(acked(content)), draw(_SHAPES), limit


@given(cases())
def test_every_line_is_in_one_piece(case: tuple[bytes, Ack, Shape, int]) -> None:
    """Those that are accepted are in none; ids, places and problems are each line's own."""
    content, ack, shape, limit = case
    due = [
        line
        for line in lines_of(content)
        if line.start >= ack.offset and line.start not in ack.beyond
    ]

    rest = iter(due)
    for piece in cut(content, shape, ack, limit=limit):
        if piece.problem is not None:
            line = next(rest)
            assert not is_event(line.data, limit)
            assert (piece.start, piece.end, piece.events) == (line.start, line.end, 0)
            assert line.data[: min(limit, len(line.data))] == piece.data
            continue
        inside = [next(rest) for _ in range(piece.events)]
        check_events(piece, inside, shape, limit)
    assert not list(rest)


def check_events(piece: Piece, inside: list[Expected], shape: Shape, limit: int) -> None:
    """Check a piece without a problem, which has these lines in it."""
    assert piece.events >= 1
    assert all(is_event(line.data, limit) for line in inside)
    assert (piece.start, piece.end) == (inside[0].start, inside[-1].end)
    assert all(one.end == other.start for one, other in pairwise(inside))
    entries = piece.entries()
    assert [entry.id for entry in entries] == [
        hashlib.sha256(line.data).hexdigest() for line in inside
    ]
    assert [entry.event_type for entry in entries] == [
        json.loads(line.data).get("event_type", "") for line in inside
    ]
    assert piece.lines() == [line.data for line in inside]
    assert piece.starts() == [line.start for line in inside]
    if shape.batch is None:
        assert piece.events == 1
        assert piece.data == inside[0].data
    else:
        assert piece.events <= shape.batch
        assert piece.data == b"".join(line.data + b"\n" for line in inside)
        assert piece.events == 1 or len(piece.data) <= shape.block_bytes


@given(st.lists(_GOOD, min_size=1, max_size=20), st.integers(1, 21))
def test_a_piece_that_is_cut_is_still_all_of_it(lines: list[bytes], most: int) -> None:
    """Each part is as if it had been cut that way at once."""
    content = b"".join(line + b"\n" for line in lines)
    (whole,) = cut(content, Shape(WHOLE, WHOLE))

    parts = list(whole.cut(most))
    assert [facts(part) for part in parts] == [
        facts(part) for part in cut(content, Shape(most, WHOLE))
    ]
    assert max(part.events for part in parts) <= most
    if len(lines) > 1:
        first, second = whole.halves()
        assert 0 <= first.events - second.events <= 1
        assert first.lines() + second.lines() == lines


@given(st.lists(_GOOD, min_size=1, max_size=20), _SHAPES)
def test_a_piece_that_parts_is_the_same_and_keeps_nothing_else(
    lines: list[bytes], shape: Shape
) -> None:
    """It may wait for long, and each block that it keeps costs as much as all that was in it."""
    for piece in cut(b"".join(line + b"\n" for line in lines), shape):
        before, numbers = facts(piece), range(piece.first, piece.first + piece.events)
        receipts = bytes(piece.manifest.receipts(numbers, '"x": 1'))
        digests = piece.manifest.digests(piece.first, piece.events)

        piece.part()

        assert (piece.first, len(piece.manifest)) == (0, piece.events)
        assert facts(piece) == before
        assert bytes(piece.manifest.receipts(range(piece.events), '"x": 1')) == receipts
        assert piece.manifest.digests(0, piece.events) == digests


def facts(piece: Piece) -> tuple[object, ...]:
    """Return everything that can be seen of a piece."""
    entries = piece.entries()
    return piece.start, piece.end, piece.data, piece.events, entries, piece.starts()


def test_halves_end_at_single_events() -> None:
    """That is how one bad event among many is found."""
    lines = [json.dumps({"n": number}).encode() for number in range(5)]
    (whole,) = cut(b"".join(line + b"\n" for line in lines), Shape(10, WHOLE))

    left, found = [whole], []
    while left:
        piece = left.pop(0)
        if piece.events == 1:
            found.append(piece)
        else:
            left[:0] = piece.halves()

    assert [piece.data for piece in found] == [line + b"\n" for line in lines]


def test_events_of_all_sizes_fill_batches_of_whole_lines() -> None:
    """With as many bytes as go into one, and one event that is longer than that by itself."""
    lines = [event("A", details={"pad": "x" * (37 * number % 9000)}) for number in range(200)]
    lines[50] = event("A", details={"pad": "x" * 40_000})
    content = b"".join(line + b"\n" for line in lines)

    pieces = cut(content, Shape(50, 16 * 2**10))

    assert [line for piece in pieces for line in piece.lines()] == lines
    assert b"".join(piece.data for piece in pieces) == content
    assert [len(piece.data) <= 16 * 2**10 for piece in pieces].count(False) == 1


def test_a_batch_of_more_than_a_megabyte_is_whole() -> None:
    """However large it is."""
    content = b"".join(event("A", details=number) + b"\n" for number in range(12_000))
    (piece,) = cut(content, Shape(WHOLE, 8 * WHOLE), limit=8 * WHOLE)

    assert piece.data == content
    assert piece.events == 12_000
    ids = b"".join(hashlib.sha256(line).digest() for line in piece.lines())
    assert piece.manifest.digests(0, 12_000) == ids


def test_nothing_is_read_behind_the_stop() -> None:
    """In a drop box the owner may go on appending."""
    lines = [b'{"n": 1}', b'{"n": 2}', b'{"n": 3}']
    content = b"".join(line + b"\n" for line in lines)

    pieces = cut(content, SINGLE, stop=len(lines[0]) + 1 + 3)

    assert [(piece.data, piece.problem is None) for piece in pieces] == [
        (lines[0], True),
        (lines[1][:3], False),
    ]


def test_of_a_line_longer_than_any_event_the_beginning_is_kept() -> None:
    """A log file in the spool does not fill the memory."""
    content = b'{"a": 1}\n' + b"x" * 5000 + b"\n" + b'{"a": 2}\n'

    for block_bytes in (64, WHOLE):
        good, long, last = cut(content, Shape(None, block_bytes), limit=100)
        assert (good.data, last.data) == (b'{"a": 1}', b'{"a": 2}')
        assert long.data == b"x" * 100
        assert (long.start, long.end) == (9, 9 + 5001)
        assert long.problem is not None
        assert "longer than any event" in long.problem.reason


def test_a_segment_that_cannot_be_read_says_so() -> None:
    """The caller knows what to do then."""
    descriptor = os.open(os.devnull, os.O_WRONLY)
    try:
        with pytest.raises(OSError, match="Bad file descriptor"):
            next(iter(blocks(descriptor, Ack(), SINGLE, limit=WHOLE, stop=10)))
    finally:
        os.close(descriptor)
