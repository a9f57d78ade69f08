"""Dead letters: what is no event, or what an endpoint refuses, with the reason."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime

from telemetry_spool.journal import Journal
from telemetry_spool.paths import Directories

DEAD_LETTER_BYTES = 64 * 2**20
"""Dead letters kept, in bytes: as much as the spool itself may have."""
DEAD_LETTER_DAYS = 365
"""Dead letters kept, in days: time enough to notice, mend the endpoint and send them again."""

HELD = "strict: "
"""Begins the reason of what the setting `strict` holds: put back by the user, it is let go."""

# An event with more objects and lists than this is kept as text: how deep an encoder may go depends
# on where it is called from, and a letter that cannot be written would stop its segment.
_MAX_NESTED = 200


def dead_letter_journal(directories: Directories) -> Journal:
    """Return the journal of dead letters."""
    return Journal(directories.rejected, DEAD_LETTER_BYTES, DEAD_LETTER_DAYS)


def dead_letter(
    data: bytes,
    reason: str,
    now: datetime,
    *,
    status: int | None = None,
    response: str | None = None,
) -> dict[str, object]:
    """Return the dead letter of a line, from which `line_of` has its exact bytes again.

    `event` is the object that `json.dumps` turns into these bytes; where there is none, `raw` is
    the line's text, with bytes that are no UTF-8 as lone surrogates (Python's surrogateescape).
    """
    letter: dict[str, object] = {
        "reason": reason,
        "status": status,
        "response": response,
        "rejected_at": now.isoformat(),
    }
    if data.count(b"{") + data.count(b"[") <= _MAX_NESTED:
        with suppress(ValueError):  # not JSON: kept as it is
            event = json.loads(data.decode())
            if json.dumps(event).encode() == data:
                return letter | {"event": event}
    return letter | {"raw": data.decode("utf-8", "surrogateescape")}


def line_of(letter: Mapping[str, object]) -> bytes:
    """Return the exact bytes of which a dead letter was made. Raises ValueError if it is none."""
    if "event" in letter:
        return json.dumps(letter["event"]).encode()
    raw = letter.get("raw")
    if not isinstance(raw, str):
        raise ValueError("a dead letter has `event` or `raw`")
    return raw.encode("utf-8", "surrogateescape")
