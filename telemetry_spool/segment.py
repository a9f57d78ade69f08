"""Read segments: whole lines in bounded slices, with their place in the file."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hashlib import _Hash

_SLICE_BYTES = 256 * 2**10

_NEWLINES = re.compile(rb"\n*")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a segment.

    `start` and `end` are byte offsets in the segment, `end` behind the newline. `data` has no
    newline. Of a line longer than the limit only the beginning is kept, and `cut` says so.
    """

    start: int
    end: int
    data: bytes
    cut: bool = False


def event_id(line: bytes) -> str:
    """Return the id of an event: the SHA-256 of its line, without newline, as 64 hex digits."""
    return id_hash()(line).hexdigest()


@cache
def id_hash() -> Callable[[bytes], _Hash]:
    """Return the hash of ids; it is loaded with the first event, for it is 4 MiB of OpenSSL."""
    from hashlib import sha256

    return sha256


def read_lines(
    descriptor: int, start: int = 0, *, limit: int, stop: int = sys.maxsize
) -> Iterator[Line]:
    """Yield the lines from byte `start` on; at most `limit` bytes of each are kept in memory.

    Nothing is read from byte `stop` on.

    Empty lines are passed over. A last line without a newline is yielded like the others. Reads
    with `pread`, so the descriptor's own position does not matter. Raises OSError.
    """
    line_start = position = start
    kept = b""
    while piece := os.pread(descriptor, min(_SLICE_BYTES, stop - position), position):
        begin = 0
        while (newline := piece.find(b"\n", begin)) >= 0:
            end = position + newline + 1
            kept += piece[begin:newline][: limit - len(kept)]
            if end - line_start > 1:
                yield _line(line_start, end, kept, limit, end - line_start - 1)
            # Millions of empty lines are passed over at once, not one by one.
            begin = _skip_newlines(piece, newline + 1)
            line_start, kept = position + begin, b""
        kept += piece[begin:][: limit - len(kept)]
        position += len(piece)
    if position > line_start:
        yield _line(line_start, position, kept, limit, position - line_start)


def _skip_newlines(piece: bytes, begin: int) -> int:
    run = _NEWLINES.match(piece, begin)
    return run.end() if run else begin


def _line(start: int, end: int, kept: bytes, limit: int, length: int) -> Line:
    return Line(start, end, kept, cut=length > limit)
