"""The loss ledger: every event that was accepted from a program and did not make it, and why."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from telemetry_spool.appending import Unsuitable
from telemetry_spool.journal import Journal
from telemetry_spool.paths import Directories

RECEIPT_BYTES = 64 * 2**20
"""Receipts and losses kept, in bytes: some 250,000 of them."""
RECEIPT_DAYS = 90
"""Receipts and losses kept, in days: long enough to ask what left last quarter."""


def receipts_journal(directories: Directories) -> Journal:
    """Return the journal that receipts and losses share."""
    return Journal(directories.receipts, RECEIPT_BYTES, RECEIPT_DAYS)


class LossLedger:
    """Counts losses by reason and writes them down; what cannot be written now is kept for later.

    A full disk loses events and cannot take the line that says so: the count waits in memory for
    the next loss or the next success.
    """

    def __init__(self, directories: Directories) -> None:
        self._journal = receipts_journal(directories)
        self._unwritten: Counter[str] = Counter()

    @property
    def unwritten(self) -> bool:
        """Whether there are losses that are not on disk yet."""
        return bool(self._unwritten)

    def lost(self, count: int, reason: str, now: datetime) -> None:
        """Count `count` events lost for `reason` and try to write down all that is unwritten."""
        self._unwritten[reason] += count
        self.flush(now)

    def flush(self, now: datetime) -> None:
        """Try to write down what is unwritten; on failure it stays counted."""
        records = [
            {"lost": count, "reason": reason, "lost_at": now.isoformat()}
            for reason, count in self._unwritten.items()
        ]
        try:
            self._journal.append(records, now)
        except (OSError, Unsuitable):
            return
        self._unwritten.clear()
