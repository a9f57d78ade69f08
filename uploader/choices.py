"""What the users of a drop box have chosen: their mode files in it, asked before every request."""

from __future__ import annotations

import os
import stat

from telemetry_spool import paths
from telemetry_spool.consent import Mode

_MODE_FILE_BYTES = 64
_WORDS = [mode.value for mode in Mode]
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Choices:
    """Reads `UID.mode` in a directory, for some µs where there is none.

    Only a regular file that belongs to the user counts. What is in it is the user's word; another
    word, or one that cannot be read, means off. Of a file with several links, which somebody else
    may have put there, only `on`, `local` and `off` count.
    """

    def __init__(self, directory: str) -> None:
        """Read mode files in this directory."""
        self._directory = directory

    def mode(self, uid: int) -> Mode:
        """Return the mode that this user has chosen, for now."""
        path = f"{self._directory}/{paths.mode_name(uid)}"
        try:
            status = os.lstat(path)  # half the cost of an open that fails
        except OSError:
            return Mode.ON
        if not stat.S_ISREG(status.st_mode) or status.st_uid != uid:
            return Mode.ON
        try:
            descriptor = os.open(path, _OPEN)
        except FileNotFoundError:
            return Mode.ON
        except OSError:
            return Mode.OFF
        try:
            return _mode(descriptor, uid)
        finally:
            os.close(descriptor)


def _mode(descriptor: int, uid: int) -> Mode:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_uid != uid:
        return Mode.ON
    try:
        text = os.read(descriptor, _MODE_FILE_BYTES).decode("ascii", "replace").strip()
    except OSError:
        return Mode.OFF
    if text in _WORDS:
        return Mode(text)
    return Mode.OFF if status.st_nlink <= 1 else Mode.ON
