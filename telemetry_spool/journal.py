"""Daily files of JSON lines: receipts, losses and dead letters, bounded by size and age."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from telemetry_spool import paths
from telemetry_spool.appending import append_lines

PART_BYTES = 8 * 2**20
"""Size at which a file is continued: a good 30,000 receipts, and it still opens in an editor."""

PATIENCE_SECONDS = 2.0
"""How long the uploader waits for a reader who holds a file: behind its writes nobody stands."""


class Journal(NamedTuple):
    """A directory of `YYYY-MM-DD.jsonl` files, continued in `YYYY-MM-DD.N.jsonl` when one fills.

    The service of a drop box keeps a journal for each user, with bounds of its own, in a
    subdirectory that is named after the uid.
    """

    directory: Path
    max_bytes: int
    max_days: int

    def of(self, owner: int | None) -> Journal:
        """Return the journal of this user's events; None stands for our own."""
        return self if owner is None else self._replace(directory=self.directory / str(owner))

    def append(
        self,
        records: Iterable[Mapping[str, object]],
        now: datetime,
        *,
        wait: float = PATIENCE_SECONDS,
    ) -> int:
        """Append records to the day's file, all or none; return how many bytes they took.

        As `append_lines` does.
        """
        lines = "".join(json.dumps(record) + "\n" for record in records)
        return self.append_lines(lines.encode(), now, wait)

    def append_lines(self, lines: bytes, now: datetime, wait: float = PATIENCE_SECONDS) -> int:
        """Append records that are lines of JSON already, each with its newline.

        Raises OSError or Unsuitable. Waits at most `wait` seconds for others. Without locks, lines
        of two writers may go wrong where a disk is full; records that are never written would be
        worse.
        """
        if not lines:
            return 0
        os.makedirs(self.directory, mode=0o700, exist_ok=True)
        append_lines(str(self._part(now)), lines, wait=wait, lockless=True)
        return len(lines)

    def _part(self, now: datetime) -> Path:
        """Return the day's last part, the next one if it is full; earlier ones may be deleted."""
        today, part = f"{now:%Y-%m-%d}", 0
        for (day, number), entry in _found(self.directory):
            if day == today and number >= part:
                part = number if entry.stat().st_size < PART_BYTES else number + 1
        return self.directory / paths.daily_name(now, part)

    def excess(self, now: datetime) -> list[Path]:
        """Return the files to delete, the oldest first, for the rest to keep within size and age.

        The newest file always stays. A file is as old as the newest one is younger, or as the
        clock says if that is less: a clock that jumps ahead deletes nothing. Raises OSError if the
        directory cannot be listed.
        """
        ordered = _ordered(self.directory)
        total = sum(path.stat().st_size for _, path in ordered)
        newest = min([f"{now:%Y-%m-%d}", *(day for (day, _), _ in ordered[-1:])])
        oldest = f"{datetime.fromisoformat(newest) - timedelta(days=self.max_days):%Y-%m-%d}"
        excess = []
        for (day, _), path in ordered[:-1]:
            if total <= self.max_bytes and day >= oldest:
                break
            total -= path.stat().st_size
            excess.append(path)
        return excess

    def files(self) -> list[Path]:
        """Return the files there are, of all users, the oldest first."""
        directories = [self.directory, *(self.of(owner).directory for owner in self.owners())]
        return [path for _, path in sorted(file for each in directories for file in _ordered(each))]

    def owners(self) -> list[int]:
        """Return the users who have a journal of their own here."""
        try:
            with os.scandir(self.directory) as entries:
                return sorted(int(entry.name) for entry in entries if paths.is_uid(entry.name))
        except FileNotFoundError:
            return []


def _found(directory: Path) -> Iterator[tuple[tuple[str, int], os.DirEntry[str]]]:
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                place = paths.daily_order(entry.name)
                if place is not None:
                    yield place, entry
    except FileNotFoundError:
        return


def _ordered(directory: Path) -> list[tuple[tuple[str, int], Path]]:
    return sorted((place, Path(entry.path)) for place, entry in _found(directory))
