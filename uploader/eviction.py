"""The quota of each owner of a shared spool, kept by the service: writers see only their own."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from itertools import islice

from telemetry_spool.acks import read_ack
from telemetry_spool.appending import try_lock
from telemetry_spool.listing import SegmentFile, open_segment, unaccepted_lines
from telemetry_spool.quota import delete_segment
from uploader.dropbox import LEAST_CHARGE_BYTES
from uploader.terms import Terms

# How long one look may take to make room: counting what is lost means reading it.
_PATIENCE_SECONDS = 0.25

# Lines that are counted of one segment, more than a writer's has: a hostile one has tens of
# millions, and counting those would keep everybody waiting until the watchdog comes.
_MOST_COUNTED = 100_000

Lost = Callable[[int, int], None]


def evict(
    segments: Iterable[SegmentFile], terms_for: Callable[[int], Terms], lost: Lost
) -> tuple[list[SegmentFile], bool]:
    """Delete the oldest sealed segments of each owner who has too much.

    A segment counts its bytes, and not less than a block. What went is told to `lost` as owner and
    number of events. Returns what is left, and whether there was time for all of it; what is over
    the limit is not returned, whether or not it could be deleted, unless it is active.
    """
    of_owner: defaultdict[int, list[SegmentFile]] = defaultdict(list)
    for segment in segments:
        of_owner[segment.owner].append(segment)
    kept: list[SegmentFile] = []
    finished = True
    for owner, owned in of_owner.items():
        terms = terms_for(owner)
        ends = time.monotonic() + _PATIENCE_SECONDS
        excess = _excess(owned, terms.max_bytes)
        for segment in excess:
            if time.monotonic() >= ends:
                finished = False
                break
            events = _delete(segment, terms)
            if events:
                lost(owner, events)
        over = {segment.name for segment in excess}
        kept += [segment for segment in owned if segment.name not in over]
    return sorted(kept, key=lambda segment: segment.name), finished


def _excess(owned: list[SegmentFile], limit: int) -> list[SegmentFile]:
    """Return the segments to delete, the oldest first."""
    total = sum(_charge(segment) for segment in owned)
    excess = []
    for segment in owned:
        if total <= limit:
            break
        if not segment.kind.active:
            excess.append(segment)
            total -= _charge(segment)
    return excess


def _charge(segment: SegmentFile) -> int:
    return max(segment.size, LEAST_CHARGE_BYTES)


def _delete(segment: SegmentFile, terms: Terms) -> int:
    """Delete a segment; return how many events went that nobody had accepted yet."""
    try:
        descriptor = open_segment(segment.path, write=True)
    except PermissionError:
        return _delete_unread(segment)
    except OSError:
        return 0
    try:
        status = os.fstat(descriptor)
        if not terms.may_be_emptied(status) or not try_lock(descriptor):
            return 0
        ack_path = terms.ack_path(segment.path)
        # A sparse file may be larger than any disk. Of one with more bytes or lines than these it
        # is known how many events went at least.
        lines = unaccepted_lines(
            descriptor, read_ack(ack_path, descriptor), limit=1, stop=terms.max_bytes
        )
        events = sum(1 for _ in islice(lines, _MOST_COUNTED))
        delete_segment(segment.path, descriptor, ack_path)
        return events
    except OSError:
        return 0
    finally:
        os.close(descriptor)


def _delete_unread(segment: SegmentFile) -> int:
    """Delete a segment that its owner keeps from us; it counts as one event."""
    try:
        os.unlink(segment.path)
    except OSError:
        return 0
    return 1
