"""The progress file: what it says, and that whatever it cannot mean is no progress."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from telemetry_spool.acks import Ack, parse, read_ack, render

SEGMENT = b"12345\n12345\n12345\n"


@pytest.fixture
def segment(tmp_path: Path) -> Iterator[int]:
    """Return the descriptor of a segment of three lines of 6 bytes."""
    path = tmp_path / "segment.jsonl"
    path.write_bytes(SEGMENT)
    descriptor = os.open(path, os.O_RDONLY)
    yield descriptor
    os.close(descriptor)


@pytest.mark.parametrize(
    ("text", "ack"),
    [
        (b"0\n", Ack()),
        (b"12\n", Ack(12)),
        (b"12", Ack(12)),
        (b"6 18 12\n", Ack(6, frozenset({12, 18}))),
        (b"", Ack()),
        (b"\n", Ack()),
        (b"-6\n", Ack()),
        (b"twelve\n", Ack()),
        (b"6 twelve\n", Ack()),
        (b"1.5\n", Ack()),
        (b"\xff\xfe\n", Ack()),
        (b"\0" * 100, Ack()),
    ],
)
def test_a_text_that_means_nothing_is_no_progress(text: bytes, ack: Ack) -> None:
    """Sending twice does no harm, losing does."""
    assert parse(text) == ack


@pytest.mark.parametrize("ack", [Ack(), Ack(12), Ack(6, frozenset({12, 18}))])
def test_what_is_written_is_read(ack: Ack) -> None:
    """The text is a line of numbers that a person can read."""
    assert parse(render(ack.offset, ack.beyond)) == ack


def test_the_text_is_offset_and_single_lines_in_order() -> None:
    """The format is part of the contract."""
    assert render(6, [18, 12]) == b"6 12 18\n"


def test_progress_is_read_from_its_file(tmp_path: Path, segment: int) -> None:
    """An offset behind a newline is taken as it is."""
    path = tmp_path / "segment.acked"
    path.write_bytes(b"6 12\n")

    assert read_ack(str(path), segment) == Ack(6, frozenset({12}))


@pytest.mark.parametrize("offset", [1, 5, 7, 17, 19, 10**30])
def test_an_offset_inside_a_line_or_behind_the_end_is_no_progress(
    tmp_path: Path, segment: int, offset: int
) -> None:
    """Half a line would be neither delivered nor set aside."""
    path = tmp_path / "segment.acked"
    path.write_bytes(b"%d\n" % offset)

    assert read_ack(str(path), segment) == Ack()


def test_the_end_of_the_segment_is_all_of_it(tmp_path: Path, segment: int) -> None:
    """Everything can have been accepted."""
    path = tmp_path / "segment.acked"
    path.write_bytes(b"18\n")

    assert read_ack(str(path), segment) == Ack(18)


def put_nothing(_: Path) -> None:
    """Leave the progress file away."""


def put_directory(path: Path) -> None:
    """Put a directory in the place of the progress file."""
    path.mkdir()


def put_fifo(path: Path) -> None:
    """Put a FIFO in the place of the progress file."""
    os.mkfifo(path)


def put_link(path: Path) -> None:
    """Put a link to a valid text in the place of the progress file."""
    path.with_name("elsewhere").write_bytes(b"12\n")
    path.symlink_to("elsewhere")


@pytest.mark.parametrize("put", [put_nothing, put_directory, put_fifo, put_link])
def test_what_is_no_progress_file_is_no_progress(
    tmp_path: Path, segment: int, put: Callable[[Path], None]
) -> None:
    """Nothing is waited for and no link followed."""
    path = tmp_path / "segment.acked"
    put(path)

    assert read_ack(str(path), segment) == Ack()
