"""Delete chosen events wherever they are, and note that a person did."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime

from telemetry_spool import ledger, letters
from telemetry_spool.appending import Unsuitable
from telemetry_spool.entries import SPOOLED, Entry, State, of_letter, of_receipt
from telemetry_spool.journal import Journal
from telemetry_spool.paths import Directories
from telemetry_spool.removal import remove
from telemetry_spool.rewriting import rewrite


@dataclass(slots=True)
class Deletion:
    """How many events were removed, and one line for each thing that could not be done."""

    events: int = 0
    failures: list[str] = field(default_factory=list)


def delete(
    directories: Directories, states: Collection[State], chosen: Callable[[Entry], bool], by: str
) -> Deletion:
    """Delete what is chosen of these states; the ledger will say that `by` did it.

    Safe beside writers and an uploader. Raises OSError if a directory cannot be listed.
    """
    done = Deletion()

    def is_chosen(entry: Entry | None) -> bool:
        return entry is not None and entry.state in states and chosen(entry)

    def from_journal(journal: Journal, read: Callable[[bytes, str], Entry | None]) -> None:
        rewriting = rewrite(journal, lambda text: None if is_chosen(read(text, "")) else text)
        done.events += rewriting.lines
        done.failures += rewriting.failures

    if not set(SPOOLED).isdisjoint(states):
        removal = remove(str(directories.spool), is_chosen)
        done.events += removal.events
        done.failures += removal.failures
    if State.REJECTED in states:
        from_journal(letters.dead_letter_journal(directories), of_letter)
    if not {State.SENT, State.LOST}.isdisjoint(states):
        from_journal(ledger.receipts_journal(directories), of_receipt)
    if done.events:
        _note(directories, by, done)
    return done


def is_note(text: bytes) -> bool:
    """Tell whether a line of the ledger notes that a person removed events."""
    try:
        record = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(record, dict) and isinstance(record.get("removed"), int)


def _note(directories: Directories, by: str, done: Deletion) -> None:
    """Note in the ledger that a person removed events: they are neither sent nor lost."""
    now = datetime.now(tz=UTC)
    record = {"removed": done.events, "reason": by, "removed_at": now.isoformat()}
    try:
        ledger.receipts_journal(directories).append([record], now)
    except (OSError, Unsuitable) as error:
        done.failures.append(f"the ledger could not be told: {error}")
