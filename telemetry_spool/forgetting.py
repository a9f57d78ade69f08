"""Forget a source id: delete what is here under it, and ask Flower to delete what was sent."""

from __future__ import annotations

import json
from dataclasses import dataclass
from urllib.parse import quote

from telemetry_spool import ledger
from telemetry_spool.deletion import Deletion, delete
from telemetry_spool.entries import SPOOLED, State, of_receipt
from telemetry_spool.paths import Directories
from telemetry_spool.rewriting import rewrite

ADDRESS = "telemetry@flower.ai"
"""Where Flower takes deletion requests, as its telemetry page (ref-telemetry) says."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter that a person may send."""

    to: str
    subject: str
    body: str

    @property
    def url(self) -> str:
        """The letter as a `mailto:` URL."""
        return f"mailto:{self.to}?subject={quote(self.subject)}&body={quote(self.body)}"


def deletion_request(source: str) -> Letter:
    """Return the request that Flower's telemetry page describes, for one source id."""
    return Letter(
        ADDRESS,
        "Deletion of telemetry events",
        "Hello,\n\nplease delete all telemetry events logged under this source ID:\n\n"
        f"    {source}\n\nThank you.\n",
    )


def forget(directories: Directories, source: str, by: str) -> Deletion:
    """Delete the events under a source id, and from receipts the content of those that were sent.

    The receipts stay: they say what left, and have no source id. Raises OSError if a directory
    cannot be listed.
    """
    states = (*SPOOLED, State.REJECTED)
    done = delete(directories, states, lambda entry: entry.source == source, by)
    receipts = rewrite(
        ledger.receipts_journal(directories), lambda text: _without_content(text, source)
    )
    done.failures += receipts.failures
    return done


def _without_content(text: bytes, source: str) -> bytes:
    """Take the content out of a receipt, if it is of this source."""
    entry = of_receipt(text, "")
    if entry is None or entry.body is None or entry.source != source:
        return text
    receipt = json.loads(text)
    del receipt["event"]
    return json.dumps(receipt).encode() + b"\n"
