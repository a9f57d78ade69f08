"""A spool that is not ours alone: the drop box of a site, to which every user adds.

Its directory belongs to the service and has mode 3733: everybody may add, nobody may list, and only
the service may rename or delete what others have put there.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from telemetry_spool import paths

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def default_spool(root: Path, *, chosen: bool) -> Path:
    """Return the spool where none was chosen: in a root that was, else this machine's drop box."""
    return paths.DROP_BOX if not chosen and paths.DROP_BOX.is_dir() else root / "spool"


def is_shared(directory: str) -> bool:
    """Tell whether another user may put files into a directory; one that is absent will be ours."""
    try:
        status = os.stat(directory)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return status.st_uid != os.geteuid() or bool(status.st_mode & (stat.S_IWGRP | stat.S_IWOTH))


def is_served(directory: str) -> bool:
    """Tell whether a directory is a drop box of somebody else's, whose service sends."""
    try:
        status = os.stat(directory)
    except OSError:
        return False
    return status.st_uid != os.geteuid() and bool(status.st_mode & stat.S_ISVTX)


def shared_group(directory: str) -> int | None:
    """Return the group that a directory gives to each file in it; None if it gives none."""
    try:
        status = os.stat(directory)
    except OSError:
        return None
    return status.st_gid if status.st_mode & stat.S_ISGID else None


def tell(directory: Path, mode: str) -> None:
    """Tell the service of a drop box which mode this user has chosen.

    Somebody may have taken the name of our mode file. The service takes it back when it sees the
    request, which may be at once. Raises OSError if nothing can be written.
    """
    uid, now = os.geteuid(), datetime.now(tz=UTC)
    request = directory / paths.mode_request_name(uid, now, os.urandom(8))
    descriptor = os.open(request, _NEW, 0o644)
    try:
        os.fchmod(descriptor, 0o644)  # the service is to read it, whatever the umask says
        os.write(descriptor, f"{mode}\n".encode())
    finally:
        os.close(descriptor)
    with suppress(PermissionError, IsADirectoryError, FileNotFoundError):
        os.rename(request, directory / paths.mode_name(uid))
