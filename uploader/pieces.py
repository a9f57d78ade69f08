"""Cut a segment into what goes into one request each: an event, or a batch of them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from telemetry_spool.acks import Ack
from telemetry_spool.events import Malformed
from telemetry_spool.segment import Line, read_lines
from uploader.manifest import Entry, Listed, Manifest, entry_of
from uploader.scanner import scanner


class Piece:
    """Consecutive lines of a segment that are all events, or one line that is none.

    `start` and `end` are byte offsets in the segment, `end` behind the last newline. `data` is what
    goes into a request: the lines of a batch with their newlines, an event by itself without.
    `manifest` says what they are; or `problem` says what is wrong with a line that is no event, of
    which `data` may be the beginning only.
    """

    __slots__ = ("data", "end", "events", "manifest", "problem", "start")

    def __init__(self, start: int, end: int, data: bytes, manifest: Manifest) -> None:
        self.start = start
        self.end = end
        self.data = data
        self.manifest = manifest
        self.events = len(manifest)
        """How many events it is made of."""
        self.problem: Malformed | None = None

    @classmethod
    def without_event(cls, line: Line, problem: Malformed) -> Piece:
        """Return the piece of a line that is no event."""
        piece = cls(line.start, line.end, line.data, Listed(()))
        piece.problem = problem
        return piece

    def lines(self) -> list[bytes]:
        """Return its lines, without newlines."""
        return self.data.removesuffix(b"\n").split(b"\n")

    def starts(self) -> list[int]:
        """Return where its lines start in the segment."""
        return [start for start, _, _ in _placed(self.start, self.lines())]

    def cut(self, most: int) -> Iterator[Piece]:
        """Yield pieces of at most so many events each."""
        if self.events <= most:
            yield self
            return
        edges = [*self.starts()[::most], self.end]
        for number, (start, end) in enumerate(pairwise(edges)):
            data = self.data[start - self.start : end - self.start]
            manifest = self.manifest.part(number * most, (number + 1) * most)
            yield Piece(start, end, data, manifest)

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
        if line.start not in ack.beyond:
            yield [_look_closely(line, shape, limit)]
        position = line.end


def _cut(start: int, data: bytes, ack: Ack, shape: Shape, limit: int) -> Sequence[Piece]:
    found = None
    if len(data) <= limit and all(place < start for place in ack.beyond):
        found = _scanned(start, data, shape)
    if found is None:
        lines = (Line(*placed) for placed in _placed(start, data[:-1].split(b"\n")))
        found = list(_closely(lines, ack, shape, limit))
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
        return [Piece(start, start + len(data), data, manifest)]
    found = []
    for line, entry in zip(data[:-1].split(b"\n"), manifest.entries(), strict=True):
        end = start + len(line) + 1
        found.append(Piece(start, end, line, Listed((entry,))))
        start = end
    return found


def _closely(lines: Iterable[Line], ack: Ack, shape: Shape, limit: int) -> Iterator[Piece]:
    """Cut where lines are no events, accepted already, or empty."""
    run: list[Piece] = []
    for line in lines:
        skipped = not line.data or line.start in ack.beyond
        piece = None if skipped else _look_closely(line, shape, limit)
        if piece is not None and piece.problem is None and shape.batch is not None:
            run.append(piece)
            continue
        yield from _joined(run)
        run = []
        if piece is not None:
            yield piece
    yield from _joined(run)


def _look_closely(line: Line, shape: Shape, limit: int) -> Piece:
    if len(line.data) > limit:
        line = Line(line.start, line.end, line.data[:limit], cut=True)
    entry = entry_of(line)
    if isinstance(entry, Malformed):
        return Piece.without_event(line, entry)
    data = line.data if shape.batch is None else line.data + b"\n"
    return Piece(line.start, line.end, data, Listed((entry,)))


def _joined(run: list[Piece]) -> list[Piece]:
    """Return one piece of pieces that follow each other."""
    if not run:
        return []
    data = b"".join(piece.data for piece in run)
    entries: list[Entry] = [entry for piece in run for entry in piece.manifest.entries()]
    return [Piece(run[0].start, run[-1].end, data, Listed(entries))]


def _placed(start: int, lines: Sequence[bytes]) -> Iterator[tuple[int, int, bytes]]:
    for data in lines:
        end = start + len(data) + 1
        yield start, end, data
        start = end
