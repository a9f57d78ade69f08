"""One uploader a spool: whoever holds `uploader.lock`."""

from __future__ import annotations

import errno
import logging
import os
from contextlib import suppress
from fcntl import LOCK_EX, LOCK_NB, flock, lockf
from pathlib import Path

from telemetry_spool.consent import Mode
from telemetry_spool.paths import Directories

_log = logging.getLogger(__name__)

_FULL = (errno.ENOSPC, errno.EDQUOT)


class UploaderLock:
    """The lock file of a spool, open from construction to `close()`."""

    def __init__(self, path: Path) -> None:
        """Open the lock file, created if need be. Raises OSError.

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
        """Whether the path still names what is open: somebody may have deleted or replaced it."""
        try:
            return os.path.samestat(os.lstat(self._path), os.fstat(self._descriptor))
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
    """Open the lock of a spool; directories are made if need be. Raises OSError."""
    directories.root.mkdir(mode=0o700, parents=True, exist_ok=True)
    directories.spool.mkdir(mode=0o700, parents=True, exist_ok=True)
    return UploaderLock(directories.uploader_lock)
