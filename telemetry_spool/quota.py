"""The quota: a spool that nobody uploads stays within its bytes; the oldest events go first."""

from __future__ import annotations

import os
from contextlib import suppress

from telemetry_spool import paths
from telemetry_spool.appending import delete_locked, try_lock
from telemetry_spool.listing import ack_of, list_segments, open_segment, unaccepted_lines
from telemetry_spool.room import Room

# Once over the limit, the spool makes room for some segments more at once: a look at all of them
# for each would make an event cost more the more events there are.
_LOW = 0.95


def enforce(
    directory: str, limit: int, *, owner: int | None = None, room: Room | None = None
) -> int:
    """Delete the oldest sealed segments until all segments together have at most `limit` bytes.

    If they had more, go on as long as 95 % of the limit are left. With `owner`, a uid, only this
    user's segments count and go. What is free afterwards is shared out in `room`. Returns how many
    events went that nobody had accepted yet. A segment that an uploader holds is passed by, and so
    is one that disappears meanwhile. A directory that this user may not list (a shared drop box) is
    left to its owner: 0.
    """
    try:
        segments = list_segments(directory)
    except OSError:
        return 0
    if owner is not None:
        segments = [segment for segment in segments if segment.owner == owner]
    total = sum(segment.size for segment in segments)
    low = int(limit * _LOW) if total > limit else limit + 1
    evicted = 0
    for segment in segments:
        if total <= limit and total - segment.size < low:
            break
        if segment.kind.active:
            continue
        try:
            lost = _evict(segment.path)
        except FileNotFoundError:
            lost = 0  # somebody else made this room
        except OSError:
            continue
        if lost is not None:
            evicted += lost
            total -= segment.size
    if room is not None:
        room.share(total, owner)
    return evicted


def _evict(path: str) -> int | None:
    descriptor = open_segment(path, write=True)
    try:
        if not try_lock(descriptor):
            return None
        lost = sum(1 for _ in unaccepted_lines(descriptor, ack_of(path, descriptor), limit=1))
        delete_segment(path, descriptor)
        return lost
    finally:
        os.close(descriptor)


def delete_segment(path: str, descriptor: int, ack: str | None = None) -> None:
    """Delete a sealed segment, locked as `descriptor`, then its progress. Raises OSError.

    `ack` is the path of its progress file, where that is not beside it.

    In this order a crash in between leaves a progress file without a segment, which does no harm;
    the other way round it would leave a segment that is sent again.
    """
    delete_locked(path, descriptor)
    with suppress(OSError):  # there is none, or something else has its name
        os.unlink(ack or ack_path(path))


def ack_path(path: str) -> str:
    """Return the path of the progress file beside a sealed segment."""
    directory, name = os.path.split(path)
    return os.path.join(directory, paths.ack_name(name))
