"""Reading segments: whole lines, their places, bounded memory."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest

from telemetry_spool.segment import Line, event_id, read_lines

CONTENTS = [
    b"",
    b"\n",
    b"\n\n\n",
    b"one\n",
    b"one",
    b"one\ntwo\n",
    b"one\n\n\ntwo\nthree",
    b"\nseven-7\neight--8\n9\n",
    b"x" * 50 + b"\n" + b"y" * 20,
]


def opened(directory: Path, content: bytes) -> int:
    """Return the descriptor of a file with this content."""
    path = directory / "segment.jsonl"
    path.write_bytes(content)
    return os.open(path, os.O_RDONLY)


def expected(content: bytes, start: int, limit: int) -> Iterator[Line]:
    """Do what `read_lines` does with all of the content at once."""
    position = start
    for line in content[start:].splitlines(keepends=True):
        end = position + len(line)
        data = line.removesuffix(b"\n")
        if data:
            yield Line(position, end, data[:limit], cut=len(data) > limit)
        position = end


@pytest.mark.parametrize("content", CONTENTS)
def test_lines_do_not_depend_on_the_slices_they_are_read_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    """Wherever a slice ends, each line has its place, its beginning and its length."""
    descriptor = opened(tmp_path, content)
    cases = list(product((1, 2, 7, 8, 9, 1000), (1, 7, 8, 1000)))

    found = {}
    for slice_bytes, limit in cases:
        monkeypatch.setattr("telemetry_spool.segment._SLICE_BYTES", slice_bytes)
        found[slice_bytes, limit] = list(read_lines(descriptor, limit=limit))

    os.close(descriptor)
    assert found == {
        (slice_bytes, limit): list(expected(content, 0, limit)) for slice_bytes, limit in cases
    }


def test_reading_can_begin_at_any_line(tmp_path: Path) -> None:
    """Places are counted from the start of the file all the same."""
    descriptor = opened(tmp_path, b"one\ntwo\nthree\n")

    lines = list(read_lines(descriptor, 4, limit=100))

    os.close(descriptor)
    assert lines == [Line(4, 8, b"two"), Line(8, 14, b"three")]


def test_a_place_behind_the_end_has_no_lines(tmp_path: Path) -> None:
    """A file that was emptied has none."""
    descriptor = opened(tmp_path, b"one\n")

    lines = list(read_lines(descriptor, 100, limit=100))

    os.close(descriptor)
    assert lines == []


def test_the_position_of_the_descriptor_does_not_matter(tmp_path: Path) -> None:
    """Several readers may use one descriptor."""
    descriptor = opened(tmp_path, b"one\ntwo\n")
    os.lseek(descriptor, 5, os.SEEK_SET)

    lines = list(read_lines(descriptor, limit=100))

    os.close(descriptor)
    assert [line.data for line in lines] == [b"one", b"two"]
    assert [line.cut for line in lines] == [False, False]


def test_a_line_is_as_large_in_memory_as_the_limit_allows(tmp_path: Path) -> None:
    """A runaway line of 64 MiB must not become 64 MiB of memory."""
    path = tmp_path / "segment.jsonl"
    with path.open("wb") as file:
        file.truncate(64 * 2**20)
    descriptor = os.open(path, os.O_RDONLY)

    (line,) = read_lines(descriptor, limit=1000)

    os.close(descriptor)
    assert line == Line(0, 64 * 2**20, b"\0" * 1000, cut=True)


def test_an_events_id_is_the_hash_of_its_line() -> None:
    """Nothing is stored for it, and everyone can check it with `sha256sum`."""
    assert event_id(b'{"n": 1}') == hashlib.sha256(b'{"n": 1}').hexdigest()
