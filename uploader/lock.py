"""One uploader a spool: whoever holds `uploader.lock`."""

from __future__ import annotations

import errno
import logging
import os
from contextlib import suppress
from fcntl import LOCK_EX, LOCK_NB, flock, lockf
from pathlib import Path

from telemetry_spool.consent import Mode
from telemetry_spool.dropbox import is_served, is_shared
from telemetry_spool.paths import Directories

_log = logging.getLogger(__name__)

_SERVED = (
    "this drop box belongs to a service that sends what is in it, also yours; to send from a spool "
    "of your own, set spool_dir"
)

_FULL = (errno.ENOSPC, errno.EDQUOT)


class UploaderLock:
    """The lock file of a spool, open from construction to `close()`."""

    def __init__(self, path: Path, spool: Path | None = None) -> None:
        """Open the lock file, created if need be; `spool` is the directory that it locks.

        By default that is the directory that it lies in. Raises OSError.
        Where a full disk has no room for it, the directory is locked instead: draining makes room.
        Another uploader may then have the file; segments are locked one by one, too.
        """
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            self._descriptor = os.open(path, flags, 0o600)
        except OSError as error:
            if error.errno not in _FULL:
                raise
            path = path.parent
            self._descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._path = path
        self._spool = spool or path.parent
        self._spool_as_it_was = os.stat(self._spool)

    def acquire(self) -> bool:
        """Take the lock without waiting; False if another uploader has it."""
        if not self._try_lock():
            return False
        with suppress(OSError):  # for people only: a full disk must not stop the uploader
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, f"{os.getpid()} {os.uname().nodename}\n".encode(), 0)
        return True

    def _try_lock(self) -> bool:
        """Lock with `flock`; where the file system has none, with a record lock."""
        try:
            flock(self._descriptor, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            return self._try_record_lock()
        return True

    def _try_record_lock(self) -> bool:
        try:
            lockf(self._descriptor, LOCK_EX | LOCK_NB)
        except (BlockingIOError, PermissionError):
            return False
        except OSError as error:
            _log.warning(
                "%s cannot be locked (%s): see that no second uploader uses this spool",
                self._path,
                error.strerror,
            )
        return True

    @property
    def in_place(self) -> bool:
        """Whether lock and spool are still those: somebody may have deleted or replaced them."""
        try:
            return os.path.samestat(
                os.lstat(self._path), os.fstat(self._descriptor)
            ) and os.path.samestat(os.stat(self._spool), self._spool_as_it_was)
        except OSError:
            return False

    def holder(self) -> str:
        """Return "pid host" of the uploader that took the lock last, where it could be written."""
        try:
            return os.pread(self._descriptor, 300, 0).decode("utf-8", "replace").strip()
        except IsADirectoryError:
            return ""

    def close(self) -> None:
        """Release the lock."""
        os.close(self._descriptor)


def may_use(directories: Directories, mode: Mode) -> bool:
    """Tell whether there is a spool, or consent to make one."""
    return mode is Mode.ON or directories.spool.exists()


def open_lock(directories: Directories) -> UploaderLock:
    """Open the lock of a spool; directories are made if need be.

    In a shared spool others could hold the lock and forge the progress: both are kept in the root.
    Everybody may see there that the service runs, and nothing else. Raises OSError, also for a drop
    box of somebody else's.
    """
    spool = str(directories.spool)
    if is_served(spool):
        raise PermissionError(errno.EACCES, _SERVED, spool)
    shared = is_shared(spool)
    directories.root.mkdir(mode=0o755 if shared else 0o700, parents=True, exist_ok=True)
    directories.spool.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not shared:
        return UploaderLock(directories.uploader_lock)
    directories.progress.mkdir(mode=0o700, exist_ok=True)
    return UploaderLock(directories.service_lock, directories.spool)
