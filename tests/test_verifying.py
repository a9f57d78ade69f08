"""Verifying beside writers: a line that is being written is not bad."""

from __future__ import annotations

from pathlib import Path

from telemetry_spool.paths import Directories
from telemetry_spool.verifying import Tally, verify
from tests.conftest import Place
from tests.e2e.conftest import line


class Finishing(Tally):
    """Counts like any other; at the first line, its writer finishes what is in the file."""

    def __init__(self, path: Path, rest: bytes) -> None:
        """Append `rest` to the file once."""
        super().__init__()
        self._path, self._rest = path, rest

    def __setattr__(self, name: str, value: object) -> None:
        """Notice that a line is counted."""
        super().__setattr__(name, value)
        if name == "lines" and value == 1:
            with self._path.open("ab") as file:
                file.write(self._rest)


def test_a_line_that_its_writer_finishes_meanwhile_is_whole(place: Place) -> None:
    """A reader may see the first half of a write; the line is read again."""
    place.spool.mkdir(parents=True)
    segment = place.spool / "host.1.active.jsonl"
    segment.write_bytes(line(0)[:100])
    directories = Directories(place.root, place.spool)

    assert list(verify(directories, Finishing(segment, line(0)[100:] + b"\n"))) == []


def test_a_line_that_nobody_finishes_is_bad(place: Place) -> None:
    """Power was lost in the middle of it."""
    place.spool.mkdir(parents=True)
    (place.spool / "host.1.active.jsonl").write_bytes(line(0)[:100])
    tally = Tally()

    (flaw,) = verify(Directories(place.root, place.spool), tally)

    assert (flaw.offset, tally.files, tally.lines) == (0, 1, 1)
