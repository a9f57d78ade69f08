"""The spool: append events durably, seal full segments, keep within the quota."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial

from telemetry_spool import dropbox, paths
from telemetry_spool.appending import Unsuitable, append_lines, append_new
from telemetry_spool.ledger import LossLedger
from telemetry_spool.room import Room
from telemetry_spool.writer_settings import WriterConfig, writer_config


class SpoolError(Exception):
    """An event cannot be spooled; the message says why."""


class EventTooLarge(SpoolError):
    """The line is longer than `max_event_bytes`."""


class NotOneLine(SpoolError):
    """The bytes are empty or contain a newline."""


def utc_now() -> datetime:
    """Return the time of day in UTC."""
    return datetime.now(tz=UTC)


class Spool:
    """Where a program appends events. It holds no file open and no lock between calls.

    Any number of threads and processes may use the same spool, forked ones too.
    """

    def __init__(
        self, config: WriterConfig | None = None, *, now: Callable[[], datetime] = utc_now
    ) -> None:
        """Use the settings in `config`, by default those of files and environment."""
        self._config = config or writer_config()
        self._now = now
        directory = self._config.directories.spool
        self._directory = str(directory)
        host, uid = paths.host_name(), os.geteuid()
        self._active = {
            local: str(directory / paths.active_name(host, uid, local=local))
            for local in (False, True)
        }
        self._shared = dropbox.is_shared(self._directory)
        # What is recorded in mode `local` is for nobody else's eyes, the service's included.
        self._group = {
            False: dropbox.shared_group(self._directory) if self._shared else None,
            True: None,
        }
        # A segment as large as the quota would be evicted as soon as it is sealed.
        full = min(self._config.max_segment_bytes, self._config.max_spool_bytes // 4)
        served = dropbox.is_served(self._directory)
        # In a drop box, where users see no sealed segment, what they may look at stays active.
        self._full = {False: full, True: self._config.max_spool_bytes // 4 if served else full}
        self._seal_when_full = {local: partial(self._seal, local) for local in (False, True)}
        self._left_at = {False: 0, True: 0}
        self._room = Room(str(directory / paths.room_name(host, uid)), self._config.max_spool_bytes)
        # Set by the thread that has sealed, under the lock; one of them looks, without it.
        self._looks = False
        self.losses = LossLedger(self._config.directories)

    def append(self, line: bytes, *, local: bool = False) -> None:
        """Append one event: the exact bytes of a request body, without a newline.

        When this returns, the line is in the page cache and survives the death of the process;
        with the setting `fsync` it is on the disk. `local` events are never uploaded.

        Raises EventTooLarge or NotOneLine for what is no event, OSError where the spool cannot be
        written (the file is then as it was).
        """
        config = self._config
        if len(line) > config.max_event_bytes:
            raise EventTooLarge(
                f"event of {len(line)} bytes is longer than max_event_bytes = "
                f"{config.max_event_bytes}"
            )
        if not line or b"\n" in line:
            raise NotOneLine("an event is one line of JSON, without a newline")
        try:
            self._append_shared(line, local)
        except FileNotFoundError:
            self._make_directories()
            self._append_shared(line, local)
        if self.losses.unwritten:
            self.losses.flush(self._now())

    def _append_shared(self, line: bytes, local: bool) -> None:
        # When another one like it has no room: a segment fits into a request of the same size.
        full = self._full[local] - len(line)
        try:
            size = append_lines(
                self._active[local],
                line + b"\n",
                fsync=self._config.fsync,
                shared=self._shared,
                group=self._group[local],
                left_at=self._left_at[local],
                full=full,
                then=self._seal_when_full[local],
            )
        except Unsuitable:
            self._append_alone(line, local=local)
        else:
            self._left_at[local] = size
            if size >= full:
                self._keep_within_quota()

    def _seal(self, local: bool, descriptor: int, size: int) -> None:
        """Seal the active segment, which is full and locked.

        Not if `descriptor` was sealed before its lock was had: the active segment is another by
        now, and each writer that waited would seal it with a line or two in it.
        """
        active = self._active[local]
        with suppress(OSError):  # the event is in the file; the next append tries again
            if os.path.samestat(os.stat(active), os.fstat(descriptor)):
                # Before the rename: a crash in between makes the next look early, not late.
                self._looks |= not self._room.take(size)
                os.rename(active, self._path(paths.sealed_name, local=local))

    def _append_alone(self, line: bytes, *, local: bool) -> None:
        """Write a segment of this one event, where the active one cannot be had."""
        temporary = self._path(paths.temporary_name, local=local)
        try:
            append_new(temporary, line + b"\n", fsync=self._config.fsync, group=self._group[local])
            os.rename(temporary, self._path(paths.sealed_name, local=local))
        except OSError:
            with suppress(FileNotFoundError):
                os.unlink(temporary)
            raise
        if os.urandom(1) == b"\0":
            # For all that were written since: reading the note each time would cost as much again.
            self._looks |= not self._room.take(256 * (len(line) + 1))
            self._keep_within_quota()

    def _make_directories(self) -> None:
        os.makedirs(self._config.directories.root, mode=0o700, exist_ok=True)
        if self._config.directories.spool != paths.DROP_BOX:  # made by us it would be private
            os.makedirs(self._directory, mode=0o700, exist_ok=True)

    def _path(self, name: Callable[..., str], *, local: bool) -> str:
        return f"{self._directory}/{name(self._now(), os.urandom(8), local=local)}"

    def _keep_within_quota(self) -> None:
        if not self._looks:
            return
        self._looks = False
        # Most processes never fill a segment, and do without the milliseconds that this takes.
        from telemetry_spool import quota

        evicted = quota.enforce(
            self._directory,
            self._config.max_spool_bytes,
            owner=os.geteuid() if self._shared else None,
            room=self._room,
        )
        if evicted:
            self.losses.lost(evicted, "quota: the spool was full, the oldest went", self._now())
