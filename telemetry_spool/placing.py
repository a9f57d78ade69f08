"""Put lines into a sealed segment of their own, whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime

from telemetry_spool import paths
from telemetry_spool.appending import open_to_group
from telemetry_spool.dropbox import is_shared, shared_group


def place(
    directory: str, lines: Iterable[bytes], *, local: bool = False, released: bool = False
) -> str:
    """Write lines, without their newlines, to a new sealed segment and return its name.

    It is one of mode `local`, or one that the user has chosen to be sent, if that is said. Raises
    OSError; there is no segment then.
    """
    now, token = datetime.now(tz=UTC), os.urandom(8)
    name = (
        paths.released_name(now, token) if released else paths.sealed_name(now, token, local=local)
    )
    with suppress(FileExistsError):
        os.makedirs(directory, mode=0o700)
    group = shared_group(directory) if is_shared(directory) and not local else None
    temporary = write_temporary(directory, (line + b"\n" for line in lines), group=group)
    os.rename(temporary, os.path.join(directory, name))
    return name


def write_temporary(
    directory: str,
    pieces: Iterable[bytes],
    like: os.stat_result | None = None,
    *,
    group: int | None = None,
) -> str:
    """Write a file that nobody takes for a segment yet; return its path.

    It gets owner and mode of `like`; `group` says that it is for this group, if it has it. Raises
    OSError; there is no file then.
    """
    name = paths.temporary_name(datetime.now(tz=UTC), os.urandom(8), local=False)
    path = os.path.join(directory, name)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
            if like is not None:
                _liken(file.fileno(), like)
            if group is not None:
                open_to_group(group, file.fileno())
            file.writelines(pieces)
    except BaseException:
        with suppress(OSError):
            os.unlink(path)
        raise
    return path


def _liken(descriptor: int, like: os.stat_result) -> None:
    if (like.st_uid, like.st_gid) != (os.geteuid(), os.getegid()):
        with suppress(PermissionError):  # only root may give files away
            os.fchown(descriptor, like.st_uid, like.st_gid)
    os.fchmod(descriptor, like.st_mode & 0o777)
