"""What is outstanding: list it, take it back into the spool, or forget it."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from telemetry_spool import paths
from telemetry_spool.bundle import claims
from telemetry_spool.bundle.arriving import room
from telemetry_spool.bundle.files import (
    CarryError,
    alone,
    make_directory,
    on_the_way,
    sync_directory,
    writing,
)
from telemetry_spool.bundle.names import Places, Step, UnderWay, is_local
from telemetry_spool.bundle.outbox import Outbox, clear_done, lines_of, outboxes, the_outbox
from telemetry_spool.bundle.records import settled_ids
from telemetry_spool.listing import SegmentFile
from telemetry_spool.segment import event_id


@dataclass(frozen=True, slots=True)
class Outstanding:
    """A bundle of which not every event is known to be accepted or rejected.

    `exported` counts its events when it left. `file` is None if it was never written: its export
    was interrupted.
    """

    bundle: str
    created_at: str | None
    file: str | None
    exported: int
    outstanding: int
    bytes: int


def outstanding(places: Places) -> list[Outstanding]:
    """Return the bundles that are outstanding, the oldest first. Raises CarryError, OSError."""
    found = []
    for outbox in outboxes(places):
        note, events = outbox.note(), outbox.events()
        found.append(
            Outstanding(
                bundle=outbox.id,
                created_at=note.created_at if note else None,
                file=note.file if note else None,
                exported=note.events if note else events,
                outstanding=events,
                bytes=sum(segment.size for segment in outbox.segments()),
            )
        )
    return found


@dataclass(frozen=True, slots=True)
class TakenBack:
    """How many events are in the spool again, and whether a file of them may be about."""

    bundle: str
    events: int
    written: bool


def take_back(
    places: Places, beginning: str, *, max_bytes: int, now: Callable[[], datetime]
) -> TakenBack:
    """Return the outstanding events of a bundle to the spool, which may then have `max_bytes`.

    Raises CarryError, OSError; each event is then in the spool or still in the bundle.
    """
    with alone(places):
        recover(places, now)
        outbox = the_outbox(places, beginning)
        claims.finish(places, outbox)
        size = sum(segment.size for segment in outbox.segments())
        if size > room(places, max_bytes):
            raise CarryError(
                f"bundle {outbox.id} has {size:,} bytes and the spool has room for "
                f"{max(0, room(places, max_bytes)):,}: raise max_spool_bytes",
                os.EX_CANTCREAT,
            )
        make_directory(places.spool)
        settled = settled_ids(places, outbox.id)
        events = sum(
            _return(places, outbox, segment, settled, now) for segment in outbox.segments()
        )
        written = _is_written(outbox)
        outbox.retire()
    return TakenBack(outbox.id, events, written)


def _is_written(outbox: Outbox) -> bool:
    try:
        note = outbox.note()
    except CarryError:
        return True  # damaged: nobody knows
    return note is not None and note.file is not None


def _return(
    places: Places,
    outbox: Outbox,
    segment: SegmentFile,
    settled: set[str],
    now: Callable[[], datetime],
) -> int:
    """Return one segment: its copy in the spool counts as soon as the original is gone."""
    lines = [line for line in lines_of(segment.path) if event_id(line.data) not in settled]
    returning = UnderWay(segment.name, outbox.id, Step.RETURNING)
    if lines:
        with writing(places.spool / returning.name) as file:
            file.writelines(line.data + b"\n" for line in lines)
        sync_directory(places.spool)
    outbox.path(segment.name).unlink()
    sync_directory(outbox.directory)
    if lines:
        _put_back(places, returning, now)
    return len(lines)


def _put_back(places: Places, returning: UnderWay, now: Callable[[], datetime]) -> None:
    """Give a returned segment a name of its own: progress under its old one is not about it."""
    token = os.urandom(8)
    if paths.kind_of(returning.segment) is paths.Kind.RELEASED:
        name = paths.released_name(now(), token)  # the user's word still holds
    else:
        name = paths.sealed_name(now(), token, local=is_local(returning.segment))
    (places.spool / returning.name).rename(places.spool / name)
    sync_directory(places.spool)


def recover(places: Places, now: Callable[[], datetime]) -> None:
    """End what a crash interrupted here. Raises OSError."""
    clear_done(places)
    for returning in on_the_way(places.spool, Step.RETURNING):
        if Path(places.exported / returning.bundle / returning.segment).exists():
            (places.spool / returning.name).unlink()
        else:
            _put_back(places, returning, now)
