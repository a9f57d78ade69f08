"""Export: what is pending leaves the spool and becomes one file that can be carried.

Each step is whole or not there, and the next run goes on from wherever a crash ended this one:

1. `exported/ID/` is made; segments are claimed and moved there, one by one (`claims`).
2. The note is written: all events of this bundle are together, and no more will join them.
3. The file is written beside its final name, forced to the disk, and given that name.
4. The note says which file it is. From here on the bundle is outstanding until receipts come.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from telemetry_spool import paths
from telemetry_spool.bundle import names
from telemetry_spool.bundle.claims import claim, finish
from telemetry_spool.bundle.files import CarryError, alone, make_directory
from telemetry_spool.bundle.names import Places
from telemetry_spool.bundle.outbox import Note, Outbox, outboxes, the_outbox
from telemetry_spool.bundle.outstanding import recover
from telemetry_spool.bundle.target import check_place, is_in, parts_of, temporary_of, write_file
from telemetry_spool.listing import SegmentFile, is_lively_elsewhere, list_segments, pending_lines


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export did, or would do: `file` is None if there was nothing to write.

    `left` counts segments that stay in the spool because an uploader or a writer has them.
    `resumed` says that an earlier export had been interrupted.
    """

    bundle: str | None
    file: Path | None
    events: int
    local_events: int
    bytes: int
    segments: int
    left: int
    resumed: bool


def preview(places: Places, *, include_local: bool) -> Exported:
    """Say what an export would carry; nothing is changed. Raises OSError."""
    waiting = next((box for box in outboxes(places) if not _is_written(box)), None)
    events = local_events = size = segments = left = 0
    found = [] if waiting is None else waiting.segments()
    if waiting is None or waiting.note() is None:
        wanted, left = _wanted(places, include_local=include_local)
        found += wanted
    for segment in found:
        lines = [line.end - line.start for line in pending_lines(segment, limit=1)]
        events += len(lines)
        local_events += len(lines) * segment.kind.local
        size += sum(lines)
        segments += bool(lines)
    bundle = waiting.id if waiting else None
    return Exported(
        bundle, None, events, local_events, size, segments, left, resumed=waiting is not None
    )


def export(
    places: Places, file: Path, *, include_local: bool, now: Callable[[], datetime]
) -> Exported:
    """Move what is pending into a bundle and write it to `file`.

    Raises CarryError for what a person can mend, OSError. What had left the spool by then is kept
    in the bundle's directory, and the next export writes it.
    """
    if not (places.spool.exists() or places.exported.exists()):
        return Exported(None, None, 0, 0, 0, 0, 0, resumed=False)
    with alone(places):
        recover(places, now)
        outbox = next((box for box in outboxes(places) if not _is_written(box)), None)
        resumed = outbox is not None
        if outbox is not None and (note := outbox.note()) and is_in(file, outbox):
            temporary_of(file, outbox).unlink(missing_ok=True)
            return _note_file(outbox, note, file, left=0, resumed=True)
        check_place(file)
        outbox = outbox or Outbox(places.exported / names.new_id(now(), os.urandom(8)))
        left = 0 if outbox.note() else _collect(places, outbox, include_local, now)
        if not any(outbox.segments()):
            outbox.retire()
            return Exported(None, None, 0, 0, 0, 0, left, resumed=resumed)
        _check_local(outbox, include_local=include_local)
        note = outbox.note()
        if note is None:
            note = Note(os.uname().nodename, now().isoformat(), outbox.events())
            outbox.save(note)
        write_file(outbox, note, file)
        return _note_file(outbox, note, file, left=left, resumed=resumed)


def export_again(places: Places, file: Path, beginning: str) -> Exported:
    """Write what is outstanding of a bundle to another file: the first one was lost.

    Raises CarryError, OSError.
    """
    with alone(places):
        outbox = the_outbox(places, beginning)
        note = outbox.note()
        if note is None:
            raise CarryError(
                f"bundle {outbox.id} is not complete: telemetry-spool export FILE ends what was "
                "interrupted",
                os.EX_USAGE,
            )
        check_place(file)
        write_file(outbox, note, file)
        return _note_file(outbox, note, file, left=0, resumed=False)


def _is_written(outbox: Outbox) -> bool:
    note = outbox.note()
    return note is not None and note.file is not None


def _collect(
    places: Places, outbox: Outbox, include_local: bool, now: Callable[[], datetime]
) -> int:
    """Move what is pending; return how many segments somebody is using.

    Active segments first: what a writer seals meanwhile is among the sealed ones then.
    """
    try:
        make_directory(outbox.directory)
        wanted, left = _wanted(places, include_local=include_local)
        left += sum(not claim(found, outbox, now()) for found in wanted if found.kind.active)
        wanted, _ = _wanted(places, include_local=include_local)
        left += sum(not claim(found, outbox, now()) for found in wanted if not found.kind.active)
        finish(places, outbox)  # what an interrupted export had claimed
    except OSError as error:
        raise CarryError(
            f"{error.filename or places.spool}: {error.strerror}; what had left the spool waits in "
            f"{outbox.directory}: mend this and run the same again",
            os.EX_IOERR,
        ) from error
    return left


def _wanted(places: Places, *, include_local: bool) -> tuple[list[SegmentFile], int]:
    """Return the segments to move, and how many are left to writers on other hosts."""
    found = [
        segment
        for segment in list_segments(str(places.spool))
        if segment.size and (include_local or not segment.kind.local)
    ]
    wanted = [segment for segment in found if _is_ours_to_seal(segment)]
    return wanted, len(found) - len(wanted)


def _is_ours_to_seal(segment: SegmentFile) -> bool:
    active = segment.kind.active
    return not (active and is_lively_elsewhere(segment, paths.host_name(), time.time()))


def _check_local(outbox: Outbox, *, include_local: bool) -> None:
    local = any(segment.kind.local for segment in outbox.segments())
    if local and not include_local:
        raise CarryError(
            f"bundle {outbox.id}, whose export was interrupted, has events of mode local: add "
            f"--include-local, or telemetry-spool export --take-back {outbox.id}",
            os.EX_USAGE,
        )


def _note_file(outbox: Outbox, note: Note, file: Path, *, left: int, resumed: bool) -> Exported:
    outbox.save(replace(note, file=str(file.absolute())))
    parts = list(parts_of(outbox))
    return Exported(
        bundle=outbox.id,
        file=file,
        events=sum(part.events for part in parts),
        local_events=sum(part.events for part in parts if names.is_local(part.name)),
        bytes=sum(part.bytes for part in parts),
        segments=len(parts),
        left=left,
        resumed=resumed,
    )
