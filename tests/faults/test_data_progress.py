"""A progress file that is no progress file: every event arrives, and nothing is followed."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Place
from tests.faults.data_drain import drain, event, seal, segment_name
from tests.faults.table import Fault, survives_each
from tests.support.endpoint import Endpoint
from uploader.once import Ending

LINES = [event(number) for number in range(3)]
CONTENT = b"".join(line + b"\n" for line in LINES)
PRECIOUS = b"%d\n" % len(CONTENT)

THEN = "every line of the segment is sent"

TEXTS = {
    "is empty": b"",
    "is garbage": b"\x8f\x00\xff garbage",
    "is zeros": b"\0" * 64,
    "is cut in the middle of a number": b"0 %d" % (len(LINES[0]) + 1),
    "is beyond the end": b"%d\n" % (len(CONTENT) + 1),
    "is in the middle of a line": b"%d\n" % (len(LINES[0]) + 5),
    "is negative": b"-%d\n" % len(CONTENT),
    "is larger than any file": b"9" * 100 + b"\n",
    "has digits without end": b"9" * 5000 + b"\n",
    "is a fraction": b"%d.0\n" % len(CONTENT),
    "is UTF-16": str(len(CONTENT)).encode("utf-16"),
}


@survives_each(Fault("data", f"a progress file {what}", THEN) for what in TEXTS)
@pytest.mark.parametrize("text", TEXTS.values(), ids=[what.replace(" ", "-") for what in TEXTS])
def test_a_text_that_is_no_progress_skips_nothing(place: Place, text: bytes) -> None:
    """Sending twice does no harm, losing does."""
    seal(place, 1, CONTENT)
    progress_of(place).write_bytes(text)

    with Endpoint() as endpoint:
        drained = drain(place, endpoint)

    assert drained.delivered == Counter(LINES)
    assert drained.ending is Ending.DRAINED
    assert place.names() == ["uploader.lock"]


def put_directory(path: Path, _: Path) -> None:
    """Put a directory with something in it."""
    path.mkdir()
    (path / "precious").write_bytes(PRECIOUS)


def put_link(path: Path, victim: Path) -> None:
    """Put a link to a file that says that all is accepted."""
    path.symlink_to(victim)


def put_dangling_link(path: Path, victim: Path) -> None:
    """Put a link to a file that does not exist."""
    path.symlink_to(victim.with_name("absent"))


def put_fifo(path: Path, _: Path) -> None:
    """Put a FIFO, which would keep a reader waiting for ever."""
    os.mkfifo(path)


THINGS = {
    "a directory": put_directory,
    "a link to a file": put_link,
    "a link to nothing": put_dangling_link,
    "a FIFO": put_fifo,
}


@survives_each(Fault("data", f"a progress file is {what}", THEN) for what in THINGS)
@pytest.mark.parametrize("more", [0, 1], ids=["finished", "interrupted"])
@pytest.mark.parametrize("put", THINGS.values())
def test_a_thing_that_is_no_file_skips_nothing(
    place: Place, tmp_path: Path, put: Callable[[Path, Path], None], more: int
) -> None:
    """It is neither read nor followed nor emptied, whether or not progress has to be saved."""
    victim = tmp_path / "victim"
    victim.write_bytes(PRECIOUS)
    (place.root / "rejected").mkdir(parents=True)
    if more:  # a dead letter that cannot be written keeps the segment
        (place.root / "rejected").rmdir()
        (place.root / "rejected").write_bytes(b"in the way")
    seal(place, 1, CONTENT + b"no event\n" * more)
    put(progress_of(place), victim)

    with Endpoint() as endpoint:
        drained = drain(place, endpoint)

    assert drained.delivered == Counter(LINES)
    assert drained.ending is (Ending.KEPT if more else Ending.DRAINED)
    assert (place.spool / segment_name(1)).exists() is bool(more)
    assert victim.read_bytes() == PRECIOUS
    assert sorted(path.name for path in tmp_path.iterdir()) == ["telemetry", "victim"]
    if put is put_directory:
        assert (progress_of(place) / "precious").read_bytes() == PRECIOUS


def progress_of(place: Place) -> Path:
    """Return the path of the progress file of the first segment."""
    return place.spool / segment_name(1).replace(".jsonl", ".acked")
