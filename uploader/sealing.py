"""Seal active segments, so that the uploader may send what is in them."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from datetime import UTC, datetime

from telemetry_spool import paths
from telemetry_spool.appending import try_lock
from telemetry_spool.listing import SegmentFile, is_lively_elsewhere, open_segment, segment_file

Complain = Callable[[str, OSError], None]
"""Is told the path of a segment that cannot be sealed, and why."""


def seal_active(
    segments: list[SegmentFile], *, host: str, now: float, complain: Complain
) -> list[SegmentFile]:
    """Seal what is active and not held by a writer; return the sealed segments.

    `host` is this host's name in file names, `now` is in seconds since the epoch. A segment that
    is in use, or cannot be opened, is tried again the next time and stops no other.
    """
    sealed = []
    for segment in segments:
        if segment.kind is not paths.Kind.ACTIVE or segment.size == 0:
            continue
        if is_lively_elsewhere(segment, host, now):
            continue
        try:
            sealed.append(_seal(segment.path))
        except FileNotFoundError:
            continue  # a writer has sealed it
        except OSError as error:
            complain(segment.path, error)
    return [segment for segment in sealed if segment is not None]


def _seal(path: str) -> SegmentFile | None:
    descriptor = open_segment(path, write=True)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or not try_lock(descriptor):
            return None
        name = paths.sealed_name(datetime.now(tz=UTC), os.urandom(8), local=False)
        target = os.path.join(os.path.dirname(path), name)
        os.rename(path, target)
        return segment_file(target, name)
    finally:
        os.close(descriptor)
