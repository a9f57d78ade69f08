"""What is in the spool directory, and the events in it."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from telemetry_spool import paths
from telemetry_spool.acks import Ack, read_ack
from telemetry_spool.dropbox import is_served
from telemetry_spool.segment import Line, read_lines


class SegmentFile(NamedTuple):
    """A segment as the directory shows it: thousands are made at once, so it is a cheap tuple.

    `size` is in bytes, `modified` in seconds since the epoch; `owner` is a uid, `inode` names the
    file on its file system whatever its names, of which there are `links`.
    """

    path: str
    name: str
    kind: paths.Kind
    size: int
    modified: float
    owner: int
    group: int
    inode: int
    links: int


QUIET_SECONDS = 60.0
"""Locks do not reach every network file system's other hosts: their active segments are left alone
until nobody has appended for this long."""


def is_lively_elsewhere(segment: SegmentFile, host: str, now: float) -> bool:
    """Tell whether another host may be appending to an active segment.

    `host` is this host's name in file names, `now` is in seconds since the epoch.
    """
    return paths.host_of(segment.name) != host and abs(now - segment.modified) < QUIET_SECONDS


def segment_file(path: str, name: str) -> SegmentFile | None:
    """Return what there is under the name of a segment.

    None for every other name, for what is no regular file, and for what is gone or cannot be
    looked at: one entry hides no other.
    """
    return _segment(path, name, Path(path))


def _segment(path: str, name: str, entry: os.DirEntry[str] | Path) -> SegmentFile | None:
    kind = paths.kind_of(name)
    if kind is None:
        return None
    try:
        status = entry.stat(follow_symlinks=False)
    except OSError:
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    return SegmentFile(
        path,
        name,
        kind,
        status.st_size,
        status.st_mtime,
        status.st_uid,
        status.st_gid,
        status.st_ino,
        status.st_nlink,
    )


def list_segments(directory: str) -> list[SegmentFile]:
    """Return the segments in a directory in the order of their names: sealed ones by age.

    What only has the name of one, a directory or a link, is none. A directory that does not exist
    has none. Of a drop box, which its service alone may list, only this user's active segments are
    found: their names are known. Raises OSError if it cannot be listed.
    """
    try:
        found = _list(directory)
    except FileNotFoundError:
        return []
    except PermissionError:
        if not is_served(directory):
            raise
        found = _known(directory)
    return sorted(filter(None, found), key=lambda segment: segment.name)


def _list(directory: str) -> list[SegmentFile | None]:
    # Through its descriptor: to walk the whole path for each file would take half as long again.
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with os.scandir(descriptor) as entries:
            return [_segment(f"{directory}/{entry.name}", entry.name, entry) for entry in entries]
    finally:
        os.close(descriptor)


def _known(directory: str) -> list[SegmentFile | None]:
    host, uid = paths.host_name(), os.geteuid()
    names = [paths.active_name(host, uid, local=local) for local in (False, True)]
    return [segment_file(os.path.join(directory, name), name) for name in names]


def open_segment(path: str, *, write: bool = False) -> int:
    """Open a segment's file for reading, never through a link and never waiting for a FIFO.

    `write` is for locking it where locks need a writable descriptor (NFS). Raises OSError.
    """
    access = os.O_RDWR if write else os.O_RDONLY
    return os.open(path, access | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)


def pending_lines(segment: SegmentFile, *, limit: int) -> Iterator[Line]:
    """Yield the lines of a segment that are not dealt with yet, as `read_lines` does.

    A segment that is gone by now has none. Raises OSError if it cannot be read.
    """
    try:
        descriptor = open_segment(segment.path)
    except FileNotFoundError:
        return
    try:
        yield from unaccepted_lines(descriptor, ack_of(segment.path, descriptor), limit=limit)
    finally:
        os.close(descriptor)


def ack_of(path: str, descriptor: int) -> Ack:
    """Return the saved progress of the segment at `path`, open as `descriptor`."""
    directory, name = os.path.split(path)
    return read_ack(os.path.join(directory, paths.ack_name(name)), descriptor)


def unaccepted_lines(
    descriptor: int, ack: Ack, *, limit: int, stop: int = sys.maxsize
) -> Iterator[Line]:
    """Yield the lines of an open segment that `ack` does not cover, none from byte `stop` on."""
    for line in read_lines(descriptor, ack.offset, limit=limit, stop=stop):
        if line.start not in ack.beyond:
            yield line
