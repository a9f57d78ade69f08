"""Events that the user lets go though `strict` holds them: by their ids, in daily files."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from telemetry_spool.journal import Journal
from telemetry_spool.paths import Directories

RELEASE_BYTES = 8 * 2**20
"""Releases kept, in bytes: some 60,000."""
RELEASE_DAYS = 365
"""Releases kept, in days: as long as dead letters, which they let go."""


def releases_journal(directories: Directories) -> Journal:
    """Return the journal of releases."""
    return Journal(directories.released, RELEASE_BYTES, RELEASE_DAYS)


def release(directories: Directories, ids: Iterable[str], now: datetime) -> None:
    """Let events go: write down their ids. Raises OSError or Unsuitable.

    Must come before their lines are put back into the spool, or they would be held again.
    """
    records = ({"id": each, "released_at": now.isoformat()} for each in ids)
    releases_journal(directories).append(records, now)


class Releases:
    """Which events were let go, as the files say at the moment of asking."""

    def __init__(self, directories: Directories) -> None:
        """Ask the releases in these directories."""
        self._journal = releases_journal(directories)
        self._read: dict[Path, tuple[int, int]] = {}
        self._ids: frozenset[str] = frozenset()

    def __contains__(self, event_id: object) -> bool:
        """Tell whether an event was let go; what cannot be read lets nothing go."""
        there = dict(self._versions())
        if there != self._read:
            self._read = there
            self._ids = frozenset(each for path in there for each in _ids(path))
        return event_id in self._ids

    def _versions(self) -> Iterator[tuple[Path, tuple[int, int]]]:
        with suppress(OSError):
            for path in self._journal.files():
                status = path.stat()
                yield path, (status.st_size, status.st_mtime_ns)


def _ids(path: Path) -> Iterator[str]:
    with suppress(OSError), path.open("rb") as file:
        for text in file:
            with suppress(ValueError, TypeError, KeyError):  # no release of ours: none at all
                yield str(json.loads(text)["id"])
