"""Append whole lines to a file that many processes share.

Everything in this project that several processes write (active segments, receipts, dead letters)
goes through here: lock with a bounded wait, make sure that the file is still there and ours, write
in one call, take a partial write back.

A writer that opened a file just before it was renamed appends to it under its new name. That loses
nothing: whoever deletes a file has held this same lock since before the first byte they read of it,
and empties it first (`delete_locked`). A writer that comes late finds an empty file without a link
and opens the path again.
"""

from __future__ import annotations

import errno
import inspect
import os
import stat
import time
from collections.abc import Callable
from fcntl import LOCK_EX, LOCK_NB, LOCK_UN, flock

# How long a writer waits for the others. They hold the lock for some 10 µs; a process that was
# stopped while it held it must not stop a training run, so it is not waited for.
LOCK_WAIT_SECONDS = 0.05

# Each time round, somebody deleted the file between open and lock: once is rare, 8 is no accident.
_OPEN_ATTEMPTS = 8

_FIRST_PAUSE_SECONDS = 20e-6
_LONGEST_PAUSE_SECONDS = 1e-3

# Without O_NOATIME, looking at the last byte makes every append write the inode as well.
_OPEN = (
    os.O_RDWR
    | os.O_APPEND
    | os.O_NOFOLLOW
    | os.O_CLOEXEC
    | os.O_NOCTTY
    | os.O_NONBLOCK
    | getattr(os, "O_NOATIME", 0)
)

_FOR_GROUP = 0o660

_TRY_LOCK = LOCK_EX | LOCK_NB

_NOT_OURS_TO_OPEN = (errno.EACCES, errno.EPERM, errno.ELOOP, errno.EISDIR, errno.ENXIO)

_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL)


class Unsuitable(Exception):
    """The file cannot be shared: not ours, not regular, linked elsewhere, or not lockable."""


def append_lines(
    path: str,
    lines: bytes,
    *,
    wait: float = LOCK_WAIT_SECONDS,
    fsync: bool = False,
    shared: bool = True,
    group: int | None = None,
    lockless: bool = False,
    left_at: int = 0,
    full: int = 0,
    then: Callable[[int, int], None] | None = None,
) -> int:
    """Append `lines`, which end in a newline, to the file at `path`, created if need be.

    Returns the new size in bytes; if that is at least `full`, `then` is called with the descriptor
    and this size while the lock is still held. Waits at most `wait` seconds for the lock, not at
    all in a signal handler that interrupted another append. `shared` says that others may create
    files in the directory, so that the file must be proved ours each time; `group`, that it is for
    this group too, if it has it. `lockless` is to go on without a lock where the file system has
    none. `left_at` is a size that an earlier call of this process returned: at that one the file
    need not be looked at for a line that was cut.

    Raises Unsuitable if the file cannot be appended to together with others, OSError if not all of
    `lines` could be written; the file is then as it was.
    """
    for _ in range(_OPEN_ATTEMPTS):
        descriptor = _open(path)
        try:
            try:
                flock(descriptor, _TRY_LOCK)
                locked = True
            except OSError as error:
                locked = _lock(descriptor, wait, error, lockless=lockless)
            try:
                size = _size(path, descriptor)
                if (shared or size == 0) and not _still_ours(path, descriptor, group):
                    continue
                if size != left_at and _is_cut(descriptor, size):
                    lines = b"\n" + lines
                size = _write(descriptor, size, lines, fsync)
                if then is not None and size >= full:
                    then(descriptor, size)
                return size
            finally:
                # A child forked meanwhile has the descriptor: closing it here unlocks nothing.
                if locked:
                    flock(descriptor, LOCK_UN)
        finally:
            os.close(descriptor)
    raise Unsuitable(f"{path} is deleted again and again")


def append_new(path: str, lines: bytes, *, fsync: bool = False, group: int | None = None) -> None:
    """Write `lines` to a file that does not exist yet. Raises OSError; the file may exist then.

    `group` says that it is for this group too, if it has it.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o600)
    try:
        if group is not None:
            open_to_group(group, descriptor)
        _write(descriptor, 0, lines, fsync)
    finally:
        os.close(descriptor)


def _open(path: str) -> int:
    try:
        try:
            return os.open(path, _OPEN)
        except FileNotFoundError:
            return os.open(path, _OPEN | os.O_CREAT, 0o600)
    except OSError as error:
        if error.errno in _NOT_OURS_TO_OPEN:
            raise Unsuitable(f"{path}: {error.strerror}") from error
        raise


def _lock(descriptor: int, wait: float, error: OSError, *, lockless: bool) -> bool:
    """Lock a file that could not be locked at once because of `error`; False: it needs no lock."""
    if isinstance(error, BlockingIOError):
        wait = 0.0 if _interrupts_an_append() else wait
        if not lock_within(descriptor, wait):
            raise Unsuitable(f"locked by another process for {wait * 1e3:.0f} ms") from None
        return True
    if lockless and error.errno in _NO_LOCKS:
        return False
    raise Unsuitable(f"cannot be locked: {error.strerror}") from error


def _interrupts_an_append() -> bool:
    """Tell whether a signal handler is appending while its own thread is in the middle of it.

    What the interrupted append holds, it cannot let go before the handler returns.
    """
    frame, appends = inspect.currentframe(), 0
    while frame is not None:
        appends += frame.f_code is append_lines.__code__
        frame = frame.f_back
    return appends > 1


def lock_within(descriptor: int, seconds: float) -> bool:
    """Lock a file exclusively, waiting at most `seconds`; False if another process keeps it."""
    deadline = time.monotonic() + seconds
    pause = _FIRST_PAUSE_SECONDS
    while not try_lock(descriptor):
        if time.monotonic() >= deadline:
            return False
        time.sleep(pause)  # bounded by the deadline: there is no flock with a time limit
        pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
    return True


def try_lock(descriptor: int) -> bool:
    """Lock a file exclusively without waiting; False if another process has it locked.

    True too on a file system without locks: there is no sharing there that a lock would protect.
    """
    try:
        flock(descriptor, _TRY_LOCK)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
    return True


def delete_locked(path: str, descriptor: int) -> None:
    """Delete the file at `path`, open and locked as `descriptor`. Raises OSError."""
    if os.fstat(descriptor).st_size:
        os.ftruncate(descriptor, 0)
    os.unlink(path)


def _size(path: str, descriptor: int) -> int:
    try:
        return os.lseek(descriptor, 0, os.SEEK_END)
    except OSError as error:
        raise Unsuitable(f"{path} is not a regular file: {error.strerror}") from error


def _still_ours(path: str, descriptor: int, group: int | None) -> bool:
    """Return False if the file was deleted. Raises Unsuitable if somebody else may have put it."""
    status = os.fstat(descriptor)
    if status.st_nlink == 0:
        return False
    if not stat.S_ISREG(status.st_mode):
        raise Unsuitable(f"{path} is not a regular file")
    if status.st_uid != os.geteuid():
        raise Unsuitable(f"{path} belongs to another user")
    if status.st_nlink != 1:
        raise Unsuitable(f"{path} has another link")
    if group is not None:
        open_to_group(group, descriptor, status)
    return True


def open_to_group(group: int, descriptor: int, status: os.stat_result | None = None) -> None:
    """Let the group of the directory have the file; not another group that it may belong to."""
    status = status or os.fstat(descriptor)
    if status.st_gid == group and stat.S_IMODE(status.st_mode) != _FOR_GROUP:
        os.fchmod(descriptor, _FOR_GROUP)


def _is_cut(descriptor: int, size: int) -> bool:
    """Tell whether power was lost in the middle of a file's last line."""
    return size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"


def _write(descriptor: int, size: int, lines: bytes, fsync: bool) -> int:
    length = len(lines)
    try:
        written = os.write(descriptor, lines)
        while written < length:
            written += os.write(descriptor, lines[written:])
        if fsync:
            os.fsync(descriptor)
    except OSError:
        os.ftruncate(descriptor, size)
        raise
    return size + written
