"""Read receipts and dead letters as far as carried bundles need them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from telemetry_spool.bundle.names import Places
from telemetry_spool.journal import Journal
from telemetry_spool.ledger import receipts_journal
from telemetry_spool.letters import dead_letter_journal, line_of
from telemetry_spool.segment import event_id

BUNDLE = "bundle"
"""The field of a receipt or a dead letter that says which bundle brought it about."""


def records(journal: Journal) -> Iterator[dict[str, Any]]:
    """Yield what a journal has that is a JSON object. Raises OSError."""
    for path in journal.files():
        with suppress(FileNotFoundError), path.open("rb") as file:
            for line in file:
                with suppress(ValueError, RecursionError):
                    record = json.loads(line)
                    if isinstance(record, dict):
                        yield record


def id_of_letter(letter: Mapping[str, object]) -> str:
    """Return the id of the event in a dead letter; empty if it is no letter of ours."""
    with suppress(ValueError, RecursionError):
        return event_id(line_of(letter))
    return ""


def settled_ids(places: Places, bundle: str) -> set[str]:
    """Return the ids of the events of a bundle that were settled here already. Raises OSError.

    They may still be in the bundle's directory: records are written before events are deleted.
    """
    receipts = records(receipts_journal(places.directories))
    letters = records(dead_letter_journal(places.directories))
    return {str(record.get("id")) for record in receipts if record.get(BUNDLE) == bundle} | {
        id_of_letter(letter) for letter in letters if letter.get(BUNDLE) == bundle
    }
