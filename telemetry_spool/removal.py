"""Remove chosen events from the spool, beside writers and an uploader that go on working.

A segment with chosen events is replaced by one without them, under a new name: its progress file
counts bytes and would be wrong for the new content. The new one is there before the old one goes,
so a crash loses nothing; at worst an event is there twice, under the same id.

Whoever deletes a segment holds its lock, so that no late writer loses a line. The uploader holds it
for as long as it drains the segment, which may be a month offline. After a short wait the segment
is taken away all the same: the uploader notices that its file has no link left and sends nothing
more of it, and as long as it holds the lock no writer appends to it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain

from telemetry_spool import paths
from telemetry_spool.appending import lock_within
from telemetry_spool.entries import Entry, of_line, state_of
from telemetry_spool.listing import (
    SegmentFile,
    ack_of,
    is_lively_elsewhere,
    list_segments,
    open_segment,
    pending_lines,
    unaccepted_lines,
)
from telemetry_spool.placing import place, write_temporary
from telemetry_spool.quota import delete_segment
from telemetry_spool.segment import Line, read_lines
from telemetry_spool.writer_settings import LARGEST_EVENT_BYTES

PATIENCE_SECONDS = 2.0
"""How long an uploader is waited for in all: what it was sending, it has saved by then."""

_PASSES = 5
_COPY_BYTES = 256 * 2**10

Chosen = Callable[[Entry], bool]


@dataclass(slots=True)
class Removal:
    """How many events were removed, and one line for each file that could not be changed."""

    events: int = 0
    failures: list[str] = field(default_factory=list)


class _InUse(Exception):
    """A writer holds the segment; the message says who or where."""


class _Moved(Exception):
    """The segment was sealed or changed since it was listed: it is to be looked for again."""


def remove(directory: str, chosen: Chosen) -> Removal:
    """Remove the events of the spool that are chosen and not accepted yet.

    Raises OSError if the directory cannot be listed.
    """
    removal = Removal()
    deadline = time.monotonic() + PATIENCE_SECONDS
    for _ in range(_PASSES):
        removal.failures = []
        moved = False
        for segment in list_segments(directory):
            try:
                removal.events += _remove_from(segment, chosen, deadline)
            except _Moved:
                moved = True
                removal.failures.append(f"{segment.path} changes again and again")
            except _InUse as error:
                removal.failures.append(f"{segment.path} is in use: {error}")
            except OSError as error:
                removal.failures.append(f"{segment.path} cannot be changed: {error.strerror}")
        if not moved:
            break
    return removal


def _remove_from(segment: SegmentFile, chosen: Chosen, deadline: float) -> int:
    def is_chosen(line: Line) -> bool:
        return chosen(of_line(line, state_of(segment.kind), segment.name))

    if not any(is_chosen(line) for line in pending_lines(segment, limit=LARGEST_EVENT_BYTES)):
        if segment.kind.active and not os.path.lexists(segment.path):
            raise _Moved
        return 0
    if segment.kind.active and is_lively_elsewhere(segment, paths.host_name(), time.time()):
        raise _InUse(f"on {paths.host_of(segment.name)}, within the last minute; try again later")
    try:
        descriptor = open_segment(segment.path, write=True)
    except FileNotFoundError:
        raise _Moved from None
    try:
        locked = lock_within(descriptor, max(0.0, deadline - time.monotonic()))
        if not _names(segment.path, descriptor):
            raise _Moved
        path = segment.path
        if segment.kind.active:
            if not locked:
                raise _InUse("a writer does not let go of it; try again later")
            path = _seal(segment)
        return _replace(path, descriptor, is_chosen, locked=locked)
    finally:
        os.close(descriptor)


def _names(path: str, descriptor: int) -> bool:
    with suppress(FileNotFoundError):
        return os.path.samestat(os.lstat(path), os.fstat(descriptor))
    return False


def _seal(segment: SegmentFile) -> str:
    """Seal an active segment, which is locked; return its new path."""
    name = paths.sealed_name(datetime.now(tz=UTC), os.urandom(8), local=segment.kind.local)
    path = os.path.join(os.path.dirname(segment.path), name)
    os.rename(segment.path, path)
    return path


def _replace(path: str, descriptor: int, is_chosen: Callable[[Line], bool], *, locked: bool) -> int:
    """Put a segment without the chosen lines in the place of the one at `path`; count these."""
    directory, name = os.path.split(path)
    ack = ack_of(path, descriptor)
    removed = end = 0

    def remainder() -> Iterator[bytes]:
        nonlocal removed, end
        for line in unaccepted_lines(descriptor, ack, limit=LARGEST_EVENT_BYTES):
            end = line.end
            if is_chosen(line):
                removed += 1
            else:
                yield from _bytes_of(descriptor, line)

    pieces = remainder()
    first = next(pieces, None)  # where all of it goes, a full disk must not matter
    temporary = None
    try:
        if first is not None:
            whole = chain([first], pieces)
            temporary = write_temporary(directory, whole, like=os.fstat(descriptor))
        if not removed:
            raise _Moved
        if not locked and not (_names(path, descriptor) and ack_of(path, descriptor) == ack):
            raise _Moved  # the uploader went on meanwhile: what it sent must not come back
        if temporary is not None:
            successor = paths.successor_name(name, os.urandom(8))
            os.rename(temporary, os.path.join(directory, successor))
            temporary = None
    finally:
        if temporary is not None:
            os.unlink(temporary)
    if locked:
        delete_segment(path, descriptor)
    else:
        _take_away(path, descriptor, end)
    return removed


def _bytes_of(descriptor: int, line: Line) -> Iterator[bytes]:
    """Yield a line with its newline; one that is longer than any event in pieces."""
    if not line.cut:
        yield line.data + b"\n"
        return
    ended = os.pread(descriptor, 1, line.end - 1) == b"\n"
    for start in range(line.start, line.end, _COPY_BYTES):
        yield os.pread(descriptor, min(_COPY_BYTES, line.end - start), start)
    if not ended:
        yield b"\n"


def _take_away(path: str, descriptor: int, end: int) -> None:
    """Delete a segment that the uploader has locked, read up to `end`.

    The link goes first: a writer that gets the lock now finds no link and opens the path again. The
    uploader may have let go before that, and a late writer come in: its line is kept.
    """
    os.unlink(path)
    late = [line.data for line in read_lines(descriptor, end, limit=LARGEST_EVENT_BYTES)]
    directory, name = os.path.split(path)
    if late:
        kind = paths.kind_of(name)
        place(directory, late, local=kind is not None and kind.local)
    os.ftruncate(descriptor, 0)
    with suppress(OSError):  # there is none
        os.unlink(os.path.join(directory, paths.ack_name(name)))
