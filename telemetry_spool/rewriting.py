"""Change or delete lines of a journal, beside the uploader that goes on appending to it.

A file is replaced under its lock, by rename, and the old one emptied: whoever opened it before
finds an empty file without a link and opens the path again (see `telemetry_spool.appending`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from telemetry_spool.appending import delete_locked, lock_within
from telemetry_spool.journal import Journal
from telemetry_spool.listing import open_segment

_PATIENCE_SECONDS = 2.0

Change = Callable[[bytes], bytes | None]
"""Takes a line with its newline; returns it, another one for it, or None to delete it."""


@dataclass(slots=True)
class Rewriting:
    """How many lines were changed, and one line for each file that could not be."""

    lines: int = 0
    failures: list[str] = field(default_factory=list)


def rewrite(journal: Journal, change: Change) -> Rewriting:
    """Apply `change` to every line of a journal. Raises OSError if it cannot be listed."""
    done = Rewriting()
    for path in journal.files():
        try:
            done.lines += _rewrite_file(path, change)
        except BlockingIOError:
            done.failures.append(f"{path} is in use; try again later")
        except FileNotFoundError:
            continue  # too old or too much since it was listed
        except OSError as error:
            done.failures.append(f"{path} cannot be changed: {error.strerror}")
    return done


def _rewrite_file(path: Path, change: Change) -> int:
    descriptor = open_segment(str(path), write=True)
    try:
        if all(change(line) is line for line in _lines(descriptor)):
            return 0
        if not lock_within(descriptor, _PATIENCE_SECONDS):
            raise BlockingIOError
        if not os.path.samestat(os.lstat(path), os.fstat(descriptor)):
            raise BlockingIOError  # somebody else has just replaced it
        return _replace(path, descriptor, change)
    finally:
        os.close(descriptor)


def _replace(path: Path, descriptor: int, change: Change) -> int:
    changed = 0

    def remainder() -> Iterator[bytes]:
        nonlocal changed
        for line in _lines(descriptor):
            new = change(line)
            changed += new is not line
            if new is not None:
                yield new

    if all(change(line) is None for line in _lines(descriptor)):
        lines = sum(1 for _ in _lines(descriptor))
        delete_locked(str(path), descriptor)  # takes no room, where a disk is full
        return lines
    temporary = path.with_name(f"{path.name}.tmp")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(temporary, flags, 0o600), "wb") as file:
            file.writelines(remainder())
        os.rename(temporary, path)
    except OSError:
        with suppress(OSError):
            os.unlink(temporary)
        raise
    os.ftruncate(descriptor, 0)
    return changed


def _lines(descriptor: int) -> Iterator[bytes]:
    with os.fdopen(os.dup(descriptor), "rb") as file:
        file.seek(0)
        yield from file
