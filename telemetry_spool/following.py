"""Follow a spool: the events that are there, then each one that comes.

Looks again and again, without a thread and without inotify, so it works on every file system. The
uploader may send an event between two looks; its receipt tells of it then.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from telemetry_spool.entries import Complain, Entry, State, of_line, of_receipt, state_of
from telemetry_spool.ledger import receipts_journal
from telemetry_spool.listing import SegmentFile, ack_of, list_segments, open_segment
from telemetry_spool.paths import Directories
from telemetry_spool.segment import Line, read_lines
from telemetry_spool.selection import moment_of
from telemetry_spool.writer_settings import LARGEST_EVENT_BYTES

# More are not sent between two looks; each is remembered so that its receipt is no news.
_REMEMBERED = 100_000

# Whoever records an event on another machine may have a clock that is slow by this.
_CLOCK_SLACK = timedelta(minutes=1)

_File = tuple[int, int]


class Follower:
    """Remembers how far it has read. A segment that is sealed meanwhile stays the same file."""

    def __init__(self, directories: Directories, complain: Complain) -> None:
        """Follow the spool; what cannot be read is given to `complain` in one line, once."""
        self._directories = directories
        self._complain = complain
        self._complained: set[str] = set()
        self._read: dict[_File, int] = {}
        self._seen: set[str] = set()
        self._order: deque[str] = deque()
        self._since = datetime.now(tz=UTC) - _CLOCK_SLACK
        self._receipts = {path: path.stat().st_size for path in self._receipt_files()}

    def last(self, number: int, admits: Callable[[Entry], bool]) -> list[Entry]:
        """Return the last events in the spool that are admitted, in their order.

        They are read from the end: what lies before them is not read, and is no news later. Raises
        OSError if the spool cannot be listed.
        """
        there: dict[_File, int] = {}
        found: deque[Entry] = deque()
        for segment in reversed(self._segments()):
            if len(found) >= number and not segment.kind.active:
                _pass_by(segment, there)
                continue
            latest = deque(filter(admits, self._readable(segment, there)), maxlen=number)
            found.extendleft(reversed(latest))
        self._read = there
        return list(found)[-number:] if number else []

    def news(self) -> Iterator[Entry]:
        """Yield what came since, then what was sent before it was seen. Raises OSError."""
        there: dict[_File, int] = {}
        for segment in self._segments():
            yield from self._readable(segment, there)
        self._read = there
        for entry in self._sent():
            if entry.id not in self._seen and self._is_new(entry):
                self._remember(entry.id)
                yield entry

    def _segments(self) -> list[SegmentFile]:
        """Return the segments, those that are appended to at the end."""
        found = list_segments(str(self._directories.spool))
        return sorted(found, key=lambda segment: segment.kind.active)

    def _is_new(self, sent: Entry) -> bool:
        """Tell whether an event was recorded since; what was waiting then is sent meanwhile."""
        moment = moment_of(sent.date)
        return moment is None or moment >= self._since

    def _readable(self, segment: SegmentFile, there: dict[_File, int]) -> Iterator[Entry]:
        try:
            yield from self._new_of(segment, there)
        except FileNotFoundError:
            return  # sealed or sent since it was listed
        except OSError as error:
            if segment.path not in self._complained:
                self._complained.add(segment.path)
                self._complain(f"{segment.path} cannot be read: {error.strerror}")

    def _new_of(self, segment: SegmentFile, there: dict[_File, int]) -> Iterator[Entry]:
        descriptor = open_segment(segment.path)
        try:
            status = os.fstat(descriptor)
            file = (status.st_dev, status.st_ino)
            start = self._read.get(file, 0)
            if start > status.st_size:
                start = 0  # the number of a deleted file, given to a new one
            # Other events were deleted from its segment, and the rest of it put into a new file.
            moved = bool(self._read) and file not in self._read
            skipped = ack_of(segment.path, descriptor) if file not in self._read else None
            there[file] = start
            for line in read_lines(descriptor, start, limit=LARGEST_EVENT_BYTES):
                if not _whole(descriptor, line):
                    break  # its writer is not done
                there[file] = line.end
                if skipped and (line.start < skipped.offset or line.start in skipped.beyond):
                    continue
                entry = of_line(line, state_of(segment.kind), segment.name)
                if moved and entry.id in self._seen:
                    continue
                self._remember(entry.id)
                yield entry
        finally:
            os.close(descriptor)

    def _remember(self, identity: str) -> None:
        if identity in self._seen:
            return
        self._seen.add(identity)
        self._order.append(identity)
        if len(self._order) > _REMEMBERED:
            self._seen.discard(self._order.popleft())

    def _sent(self) -> Iterator[Entry]:
        for path in self._receipt_files():
            start = self._receipts.get(path, 0)
            with path.open("rb") as file:
                file.seek(start)
                for text in file:
                    if not text.endswith(b"\n"):
                        break
                    start += len(text)
                    entry = of_receipt(text, path.name)
                    if entry is not None and entry.state is State.SENT:
                        yield entry
            self._receipts[path] = start

    def _receipt_files(self) -> list[Path]:
        return receipts_journal(self._directories).files()


def _pass_by(segment: SegmentFile, there: dict[_File, int]) -> None:
    """Take a sealed segment for read."""
    with suppress(OSError):  # sent since it was listed
        status = os.lstat(segment.path)
        there[status.st_dev, status.st_ino] = status.st_size


def _whole(descriptor: int, line: Line) -> bool:
    return os.pread(descriptor, 1, line.end - 1) == b"\n"
