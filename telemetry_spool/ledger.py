"""The loss ledger: every event that was accepted from a program and did not make it, and why."""

from __future__ import annotations

import os
from collections import Counter, deque
from datetime import datetime
from typing import NamedTuple

from telemetry_spool.appending import LOCK_WAIT_SECONDS, Unsuitable
from telemetry_spool.journal import Journal
from telemetry_spool.paths import Directories

RECEIPT_BYTES = 64 * 2**20
"""Receipts and losses kept, in bytes: some 250,000 of them."""
RECEIPT_DAYS = 90
"""Receipts and losses kept, in days: long enough to ask what left last quarter."""


def receipts_journal(directories: Directories) -> Journal:
    """Return the journal that receipts and losses share."""
    return Journal(directories.receipts, RECEIPT_BYTES, RECEIPT_DAYS)


class _Loss(NamedTuple):
    """Events that the process `pid` has lost and not written down yet."""

    pid: int
    events: int
    reason: str


class LossLedger:
    """Counts losses by reason and writes them down; what cannot be written now is kept for later.

    A full disk loses events and cannot take the line that says so: the count waits in memory for
    the next loss or the next success.
    """

    def __init__(self, directories: Directories, owner: int | None = None) -> None:
        """Count this user's events, by default our own."""
        self._journal = receipts_journal(directories).of(owner)
        # Putting into a deque and taking out of it is atomic. Threads and signal handlers report
        # losses too, and a lock could be copied by a fork while somebody holds it.
        self._unwritten: deque[_Loss] = deque()

    @property
    def unwritten(self) -> bool:
        """Whether there are losses that are not on disk yet."""
        return bool(self._unwritten)

    def inherit(self, earlier: LossLedger) -> None:
        """Count what another ledger of this process could not write down."""
        self._unwritten.extend(earlier._unwritten)

    def lost(self, count: int, reason: str, now: datetime) -> None:
        """Count `count` events lost for `reason` and try to write down all that is unwritten."""
        self._unwritten.append(_Loss(os.getpid(), count, reason))
        self.flush(now)

    def flush(self, now: datetime) -> None:
        """Try to write down what is unwritten; on failure it stays counted."""
        pid = os.getpid()
        counts = self._take(pid)
        records = [
            {"lost": count, "reason": reason, "lost_at": now.isoformat()}
            for reason, count in counts.items()
        ]
        try:
            self._journal.append(records, now, wait=LOCK_WAIT_SECONDS)
        except (OSError, Unsuitable):
            self._unwritten.extend(_Loss(pid, count, reason) for reason, count in counts.items())

    def _take(self, pid: int) -> Counter[str]:
        """Take what is unwritten; a forked child drops what its parent will write down."""
        counts: Counter[str] = Counter()
        while True:
            try:
                loss = self._unwritten.popleft()
            except IndexError:
                return counts
            if loss.pid == pid:
                counts[loss.reason] += loss.events
