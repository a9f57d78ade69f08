"""The drop box as its service sees it: anybody may have put anything there, under any name.

Nothing is opened here; names are moved within the directory, which only the service may do.
"""

from __future__ import annotations

import logging
import os
import stat
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime

from telemetry_spool import paths
from telemetry_spool.listing import SegmentFile, segment_file
from uploader.terms import is_native

LEAST_CHARGE_BYTES = 4096
"""What a segment counts at least: an owner of empty files would otherwise fill the memory."""

_log = logging.getLogger(__name__)


def box_group(directory: str) -> int | None:
    """Return the group that only files made in this drop box have; None if there is no such group.

    That takes mode 3733 and a group of the service's own. Raises OSError.
    """
    status = os.stat(directory)
    proper = stat.S_ISVTX | stat.S_ISGID
    own = status.st_uid == os.geteuid() and status.st_gid == os.getegid()
    return status.st_gid if own and status.st_mode & proper == proper else None


def survey(directory: str, max_bytes: int) -> list[SegmentFile]:
    """Return the segments in a drop box in the order of their names, and put it in order.

    What stands where another user's file belongs is moved aside, modes that wait for the service
    take their place. Of an owner's segments at most twice as many are returned as `max_bytes` can
    hold. Raises OSError if the directory cannot be listed.
    """
    group = box_group(directory)
    most = 2 * (max_bytes // LEAST_CHARGE_BYTES + 1)
    found: list[SegmentFile] = []
    of_owner: Counter[int] = Counter()
    linked: set[int] = set()
    for segment in _entries(directory):
        if of_owner[segment.owner] >= most:
            continue
        if segment.links > 1:
            if not is_native(segment.owner, segment.group, group):
                _move_aside(segment.path)
                continue
            if segment.inode in linked:
                _unlink(segment.path)  # another name of a segment that is listed already
                continue
            linked.add(segment.inode)
        of_owner[segment.owner] += 1
        found.append(segment)
    return sorted(found, key=lambda segment: segment.name)


def _entries(directory: str) -> Iterator[SegmentFile]:
    requests: dict[int, str] = {}
    with os.scandir(directory) as entries:
        for entry in entries:
            mode_file = paths.mode_file_of(entry.name)
            if mode_file is not None:
                own = _belongs_to(entry.path, mode_file.uid)
                if own and mode_file.request:
                    _replace_older(requests, mode_file.uid, entry)
                elif not own and not mode_file.request:
                    _move_aside(entry.path)
                continue
            kind = paths.kind_of(entry.name)
            if kind is None:
                continue
            if kind.active and not _belongs_to(entry.path, paths.uid_of(entry.name)):
                segment = _give_way(entry.path, kind)
            else:
                segment = segment_file(entry.path, entry.name)
            if segment is not None:
                yield segment
    for uid, name in requests.items():
        _take_up(directory, name, uid)


def _belongs_to(path: str, uid: int) -> bool:
    """Tell whether a name has a regular file of this user's, or none at all any more."""
    try:
        status = os.lstat(path)
    except OSError:
        return True
    return stat.S_ISREG(status.st_mode) and status.st_uid == uid


def _give_way(path: str, kind: paths.Kind) -> SegmentFile | None:
    """Free the name of somebody's active segment; return what became of what had it.

    A regular file becomes a sealed segment of its owner's: a container with other user ids appends
    to such a file in good faith.
    """
    if segment_file(path, os.path.basename(path)) is None:
        _move_aside(path)
        return None
    new = _rename(path, lambda now, token: paths.sealed_name(now, token, local=kind.local))
    return segment_file(new, os.path.basename(new))


def _move_aside(path: str) -> None:
    _log.debug("%s is moved aside: it stands where another user's file belongs", path)
    _rename(path, paths.aside_name)


def _rename(path: str, name: Callable[[datetime, bytes], str]) -> str:
    """Give a file a new name if possible, and return it: its old one may be a mount point."""
    new = os.path.join(os.path.dirname(path), name(datetime.now(tz=UTC), os.urandom(8)))
    with suppress(OSError):
        os.rename(path, new)
    return new


def _unlink(path: str) -> None:
    with suppress(OSError):
        os.unlink(path)


def _replace_older(requests: dict[int, str], uid: int, entry: os.DirEntry[str]) -> None:
    """Keep a user's last request, and delete the others: anybody could make millions."""
    other = requests.get(uid, "")
    requests[uid] = max(other, entry.name)
    if other:
        _unlink(os.path.join(os.path.dirname(entry.path), min(other, entry.name)))


def _take_up(directory: str, request: str, uid: int) -> None:
    """Put a mode file of the user's whose mode it is in its place."""
    path = os.path.join(directory, request)
    place = os.path.join(directory, paths.mode_name(uid))
    try:
        os.rename(path, place)
    except FileNotFoundError:
        return  # its owner has done so
    except IsADirectoryError:
        _move_aside(place)
        with suppress(OSError):
            os.rename(path, place)
    except OSError as error:
        _log.warning("%s cannot be put in its place: %s", path, error.strerror)
