"""One uploader a spool: whoever holds `uploader.lock`."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from telemetry_spool.appending import try_lock


class UploaderLock:
    """The lock file of a spool, open from construction to `close()`."""

    def __init__(self, path: Path) -> None:
        """Open the lock file, created if need be. Raises OSError."""
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        self._descriptor = os.open(path, flags, 0o600)

    def acquire(self) -> bool:
        """Take the lock without waiting; False if another uploader has it."""
        if not try_lock(self._descriptor):
            return False
        with suppress(OSError):  # for people only: a full disk must not stop the uploader
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, f"{os.getpid()} {os.uname().nodename}\n".encode(), 0)
        return True

    def holder(self) -> str:
        """Return "pid host" of the uploader that took the lock last."""
        return os.pread(self._descriptor, 300, 0).decode("utf-8", "replace").strip()

    def close(self) -> None:
        """Release the lock."""
        os.close(self._descriptor)
