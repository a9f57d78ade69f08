"""Files that are whole or not there, after a crash and after a power cut."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from telemetry_spool.appending import try_lock
from telemetry_spool.bundle.names import Places, Step, UnderWay, under_way

# A writer holds a segment's lock for some 10 µs; an uploader holds it until it has sent all of it.
LOCK_SECONDS = 0.5


class CarryError(Exception):
    """What a person can mend; the message is one line and names the remedy, `code` is the exit."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


@contextmanager
def alone(places: Places) -> Iterator[None]:
    """Be the only export or import of this root. Raises CarryError if there is another."""
    make_directory(places.directories.root)
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(places.lock, flags, 0o600)
    try:
        if not try_lock(descriptor):
            raise CarryError(
                f"another export or import is at work in {places.directories.root}: "
                "run this again when it has ended",
                os.EX_TEMPFAIL,
            )
        yield
    finally:
        os.close(descriptor)


def on_the_way(spool: Path, step: Step) -> list[UnderWay]:
    """Return what a crash left in the spool directory at this step. Raises OSError."""
    with suppress(FileNotFoundError):
        found = [under_way(name) for name in sorted(os.listdir(spool))]
        return [segment for segment in found if segment and segment.step is step]
    return []


def make_directory(path: Path) -> None:
    """Make a private directory and those above it, where they are missing. Raises OSError."""
    if not path.is_dir():
        make_directory(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)
        sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Force a directory's names to the disk. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def replacing(path: Path, temporary: Path | None = None) -> Iterator[BinaryIO]:
    """Write a file that takes the place of `path` at the end of the block, on the disk by then.

    If the block raises, `path` is as it was. `temporary` is in the same directory.
    """
    temporary = temporary or path.with_name(f"{path.name}.tmp")
    with writing(temporary) as file:
        yield file
    temporary.rename(path)
    sync_directory(path.parent)


@contextmanager
def writing(path: Path) -> Iterator[BinaryIO]:
    """Write a file anew, on the disk at the end of the block; if that raises, it is deleted."""
    flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(path, flags, 0o600), "w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        with suppress(OSError):
            path.unlink()
        raise


@contextmanager
def publishing(path: Path, temporary: Path) -> Iterator[BinaryIO]:
    """Write a file that is at `path`, whole, at the end of the block.

    `temporary` is in the same directory. Raises CarryError if there is something at `path`.
    """
    refuse_to_overwrite(path)
    with writing(temporary) as file:
        yield file
    try:
        _put(temporary, path)
    finally:
        with suppress(FileNotFoundError):  # it has been renamed
            temporary.unlink()
    sync_directory(path.parent)


def _put(temporary: Path, path: Path) -> None:
    try:
        os.link(temporary, path)
    except OSError:  # it is there by now, or the stick that is carried has no links
        refuse_to_overwrite(path)
        temporary.rename(path)


def refuse_to_overwrite(path: Path) -> None:
    """Raise CarryError if there is anything at `path`."""
    if os.path.lexists(path):
        raise CarryError(
            f"{path} exists and is not overwritten: choose another name", os.EX_CANTCREAT
        )
