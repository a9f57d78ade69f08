"""Take segments out of the spool, so that no uploader sends what a bundle carries.

A claim is a rename within the spool directory, under the segment's lock: from that moment on the
events are the bundle's. Then they are copied to the bundle's directory, and the claimed file is
deleted as every segment is: emptied under its lock, then unlinked. Whatever a crash leaves, the
claimed file is there until its events are in the copy, and `finish` goes on from there.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from telemetry_spool import paths
from telemetry_spool.acks import Ack, read_ack, render
from telemetry_spool.appending import delete_locked, lock_within
from telemetry_spool.bundle.files import (
    LOCK_SECONDS,
    CarryError,
    on_the_way,
    replacing,
    sync_directory,
)
from telemetry_spool.bundle.names import Places, Step, UnderWay
from telemetry_spool.bundle.outbox import Outbox, lines_of
from telemetry_spool.listing import SegmentFile, ack_of, open_segment, unaccepted_lines
from telemetry_spool.segment import Line, event_id, read_lines
from telemetry_spool.writer_settings import LARGEST_EVENT_BYTES


def claim(segment: SegmentFile, outbox: Outbox, now: datetime) -> bool:
    """Move a segment's events from the spool to a bundle; False if somebody is using it.

    False too for one that cannot be opened, True for one that is gone or has nothing left to send.
    Raises OSError if it cannot be moved; the next export goes on then.
    """
    try:
        descriptor = open_segment(segment.path, write=True)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    try:
        if not lock_within(descriptor, LOCK_SECONDS):
            return False
        if not _is_there(segment.path, descriptor):
            return True
        ack = ack_of(segment.path, descriptor)
        if next(unaccepted_lines(descriptor, ack, limit=1), None) is None:
            return True
        name = segment.name
        if segment.kind.active:
            name = paths.sealed_name(now, os.urandom(8), local=segment.kind.local)
        _save_ack(outbox, name, ack)
        claimed = UnderWay(name, outbox.id, Step.EXPORTING)
        path = os.path.join(os.path.dirname(segment.path), claimed.name)
        os.rename(segment.path, path)
        sync_directory(Path(path).parent)  # a power cut must not leave both the segment and a copy
        _move(path, descriptor, claimed, outbox)
    finally:
        os.close(descriptor)
    return True


def finish(places: Places, outbox: Outbox) -> None:
    """Move what was claimed for a bundle before a crash.

    Raises CarryError if somebody holds it, OSError.
    """
    for claimed in on_the_way(places.spool, Step.EXPORTING):
        if claimed.bundle != outbox.id:
            continue
        path = str(places.spool / claimed.name)
        descriptor = open_segment(path, write=True)
        try:
            if not lock_within(descriptor, LOCK_SECONDS):
                raise CarryError(
                    f"{path} is held by another process: run this again when it has ended",
                    os.EX_TEMPFAIL,
                )
            _move(path, descriptor, claimed, outbox)
        finally:
            os.close(descriptor)
    _drop_acks(places, outbox)


def _is_there(path: str, descriptor: int) -> bool:
    """Tell whether the path still names this regular file, with no other link."""
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
        return False
    with suppress(FileNotFoundError):
        return os.path.samestat(os.lstat(path), status)
    return False


def _move(path: str, descriptor: int, claimed: UnderWay, outbox: Outbox) -> None:
    """Copy a claimed segment, locked as `descriptor`, and delete it and its progress."""
    saved = outbox.path(paths.ack_name(claimed.segment))
    _copy(descriptor, read_ack(str(saved), descriptor), outbox.path(claimed.segment))
    delete_locked(path, descriptor)
    for progress in (Path(path).with_name(saved.name), saved):
        with suppress(FileNotFoundError):
            progress.unlink()


def _copy(descriptor: int, ack: Ack, target: Path) -> None:
    """Copy what is not accepted to `target`, which may have it already, wholly and forced to disk.

    After a crash behind the copy, the claimed file is as it was, or emptied; in both cases a writer
    that had it open may have added to it since. What it is shows in whether it still has all that
    the copy has; in an emptied one nothing is covered by the progress of before.
    """
    try:
        copied = {event_id(line.data) for line in lines_of(target)}
    except FileNotFoundError:
        _write(unaccepted_lines(descriptor, ack, limit=LARGEST_EVENT_BYTES), target)
        return
    found = list(unaccepted_lines(descriptor, ack, limit=LARGEST_EVENT_BYTES))
    if not copied <= {event_id(line.data) for line in found}:
        found = list(read_lines(descriptor, limit=LARGEST_EVENT_BYTES))
    late = [line for line in found if event_id(line.data) not in copied]
    if late:
        _write(late, target, after=target)


def _write(lines: Iterable[Line], target: Path, *, after: Path | None = None) -> None:
    with replacing(target) as file:
        if after:
            file.write(after.read_bytes())
        file.writelines(line.data + b"\n" for line in lines)


def _save_ack(outbox: Outbox, name: str, ack: Ack) -> None:
    """Keep a segment's progress with the bundle: beside a renamed segment it would be tidied up."""
    path = outbox.path(paths.ack_name(name))
    if ack == Ack():
        path.unlink(missing_ok=True)
        return
    with replacing(path) as file:
        file.write(render(ack.offset, ack.beyond))


def _drop_acks(places: Places, outbox: Outbox) -> None:
    """Delete the progress of segments that were moved, or after all not taken."""
    for name in os.listdir(outbox.directory):
        segment = paths.acked_segment(name)
        if segment is None:
            continue
        if not (places.spool / segment).exists():
            (places.spool / name).unlink(missing_ok=True)
        outbox.path(name).unlink()
    sync_directory(outbox.directory)
