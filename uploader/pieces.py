"""Cut a segment into what goes into one request each: an event, or a batch of them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from telemetry_spool.acks import Ack
from telemetry_spool.events import Malformed
from telemetry_spool.segment import Line, read_lines
from uploader.manifest import Entry, Listed, Manifest, entry_of
from uploader.scanner import scanner

if TYPE_CHECKING:
    from uploader.reading import Reading

_NOT_EMPTY = re.compile(rb"[^\n]+")


class Piece:
    """Consecutive lines of a segment that are all events, or one line that is none.

    `start` and `end` are byte offsets in the segment, `end` behind the last newline. `data` is what
    goes into a request: the lines of a batch with their newlines, an event by itself without.
    `manifest` says what they are, from its number `first` on; or `problem` says what is wrong with
    a line that is no event, of which `data` may be the beginning only.
    """

    __slots__ = (
        "data",
        "end",
        "events",
        "first",
        "manifest",
        "problem",
        "reading",
        "sent_at",
        "start",
    )

    reading: Reading
    """Its segment, once it has been taken from there."""
    sent_at: float
    """When it was sent last, on the monotonic clock; not there before."""

    def __init__(  # noqa: PLR0917 - there are as many as events, and names cost
        self, start: int, end: int, data: bytes, manifest: Manifest, first: int, events: int
    ) -> None:
        self.start = start
        self.end = end
        self.data = data
        self.manifest = manifest
        self.first = first
        self.events = events
        """How many events it is made of."""
        self.problem: Malformed | None = None

    @classmethod
    def without_event(cls, line: Line, problem: Malformed) -> Piece:
        """Return the piece of a line that is no event."""
        piece = cls(line.start, line.end, line.data, Listed(()), 0, 0)
        piece.problem = problem
        return piece

    def lines(self) -> list[bytes]:
        """Return its lines, without newlines."""
        return self.data.removesuffix(b"\n").split(b"\n")

    def starts(self) -> list[int]:
        """Return where its lines start in the segment."""
        return [line.start for line in _lines(self.start, self.data)]

    def entries(self) -> Sequence[Entry]:
        """Return what its lines are."""
        return self.manifest.entries(self.first, self.events)

    def part(self) -> None:
        """Part from what was read with it, of which it holds all: it may have to wait for long."""
        if len(self.manifest) > self.events:
            self.manifest, self.first = Listed(self.entries()), 0

    def cut(self, most: int) -> Iterator[Piece]:
        """Yield pieces of at most so many events each."""
        if self.events <= most:
            yield self
            return
        edges = [*self.starts()[::most], self.end]
        for done, (start, end) in zip(range(0, self.events, most), pairwise(edges), strict=True):
            data = self.data[start - self.start : end - self.start]
            events = min(most, self.events - done)
            yield Piece(start, end, data, self.manifest, self.first + done, events)

    def halves(self) -> Iterator[Piece]:
        """Yield two pieces with half of the events each; there must be two events or more."""
        return self.cut((self.events + 1) // 2)


@dataclass(frozen=True, slots=True)
class Shape:
    """How much goes into a request: `batch` events at most, or None for one without its newline.

    `block_bytes` is how much of a segment is read at once, and so the most that a batch has.
    """

    batch: int | None
    block_bytes: int


# Reading events one by one would cost more than all the rest; hundreds of segments may be open.
SINGLE = Shape(batch=None, block_bytes=64 * 2**10)


def blocks(
    descriptor: int, ack: Ack, shape: Shape, *, limit: int, stop: int
) -> Iterator[Sequence[Piece]]:
    """Yield what `ack` does not cover of an open segment up to byte `stop`, as much as is read.

    Of each line at most `limit` bytes are kept; what is longer is no event. Raises OSError.
    """
    position = ack.offset
    while block := os.pread(descriptor, min(shape.block_bytes, stop - position), position):
        end = block.rfind(b"\n") + 1
        if end:
            yield _cut(position, block[:end], ack, shape, limit)
            position += end
            continue
        # A line that is longer than the block, or the last one, which has no end.
        line = next(read_lines(descriptor, position, limit=limit, stop=stop), None)
        if line is None:
            return
        yield list(_closely([line], ack, shape, limit))
        position = line.end


def _cut(start: int, data: bytes, ack: Ack, shape: Shape, limit: int) -> Sequence[Piece]:
    found = None
    if len(data) <= limit and all(place < start for place in ack.beyond):
        found = _scanned(start, data, shape)
    if found is None:
        found = list(_closely(_lines(start, data), ack, shape, limit))
    if shape.batch is None:
        return found
    return [part for piece in found for part in piece.cut(shape.batch)]


def _scanned(start: int, data: bytes, shape: Shape) -> list[Piece] | None:
    """Return pieces as the compiled part reads them; None if they take a closer look."""
    compiled = scanner()
    manifest = compiled.scan(data) if compiled else None
    if manifest is None:
        return None
    if shape.batch is not None:
        return [Piece(start, start + len(data), data, manifest, 0, len(manifest))]
    found = []
    for number, line in enumerate(data[:-1].split(b"\n")):
        end = start + len(line) + 1
        found.append(Piece(start, end, line, manifest, number, 1))
        start = end
    return found


def _closely(lines: Iterable[Line], ack: Ack, shape: Shape, limit: int) -> Iterator[Piece]:
    """Cut where lines are no events, accepted already, or empty."""
    run: list[tuple[Line, Entry]] = []
    for line in lines:
        if line.start in ack.beyond:
            continue
        found = _look_closely(line, limit)
        if run and (isinstance(found, Piece) or run[-1][0].end != line.start):
            yield from _together(run, shape)
            run = []
        if isinstance(found, Piece):
            yield found
        else:
            run.append(found)
    yield from _together(run, shape)


def _look_closely(line: Line, limit: int) -> tuple[Line, Entry] | Piece:
    """Return what an event says of itself, or the piece of a line that is none."""
    if len(line.data) > limit:
        line = Line(line.start, line.end, line.data[:limit], cut=True)
    entry = entry_of(line)
    return Piece.without_event(line, entry) if isinstance(entry, Malformed) else (line, entry)


def _together(run: Sequence[tuple[Line, Entry]], shape: Shape) -> list[Piece]:
    """Return the pieces of events that follow each other: one for all, or one for each."""
    manifest = Listed([entry for _, entry in run])
    if shape.batch is None:
        return [
            Piece(line.start, line.end, line.data, manifest, number, 1)
            for number, (line, _) in enumerate(run)
        ]
    if not run:
        return []
    data = b"".join([line.data + b"\n" for line, _ in run])
    return [Piece(run[0][0].start, run[-1][0].end, data, manifest, 0, len(run))]


def _lines(start: int, data: bytes) -> Iterator[Line]:
    """Yield the lines that are not empty: millions that are cost next to nothing."""
    for line in _NOT_EMPTY.finditer(data):
        yield Line(start + line.start(), start + line.end() + 1, line.group())
