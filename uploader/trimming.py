"""Keep a journal within its bounds."""

from __future__ import annotations

from datetime import datetime

from telemetry_spool.journal import Journal
from telemetry_spool.ledger import LossLedger


def trim_receipts(journal: Journal, now: datetime) -> None:
    """Delete receipts that are too old or too many. Raises OSError."""
    for path in journal.excess(now):
        path.unlink()


def trim_letters(journal: Journal, losses: LossLedger, now: datetime) -> None:
    """Delete dead letters that are too old or too many; they count as lost. Raises OSError."""
    for path in journal.excess(now):
        with path.open("rb") as file:
            letters = sum(1 for _ in file)
        path.unlink()
        losses.lost(letters, "dead letters: too old or too many", now)
