"""What the uploader writes down: receipts for what left, dead letters for what cannot be sent."""

from __future__ import annotations

import json
import logging
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime

from telemetry_spool.appending import Unsuitable
from telemetry_spool.events import Event
from telemetry_spool.journal import PATIENCE_SECONDS, Journal
from telemetry_spool.ledger import receipts_journal
from telemetry_spool.paths import Directories
from telemetry_spool.segment import Line
from uploader.outcome import Outcome

DEAD_LETTER_BYTES = 64 * 2**20
"""Dead letters kept, in bytes: as much as the spool itself may have."""
DEAD_LETTER_DAYS = 365
"""Dead letters kept, in days: time enough to notice, mend the endpoint and send them again."""

# Receipts wait in memory while the disk is full: deleting events makes room, so delivery goes on.
_WAITING_RECEIPTS = 10_000

# An event with more objects and lists than this is kept as text: how deep an encoder may go depends
# on where it is called from, and a letter that cannot be written would stop its segment.
_MAX_NESTED = 200

_log = logging.getLogger(__name__)


def dead_letter_journal(directories: Directories) -> Journal:
    """Return the journal of dead letters."""
    return Journal(directories.rejected, DEAD_LETTER_BYTES, DEAD_LETTER_DAYS)


def dead_letter(
    line: Line, reason: str, outcome: Outcome | None, now: datetime
) -> dict[str, object]:
    """Return the dead letter of a line, from which its exact bytes can be had again.

    `event` is the object that `json.dumps` turns into these bytes; where there is none, `raw` is
    the line's text, with bytes that are no UTF-8 as lone surrogates (Python's surrogateescape).
    """
    letter: dict[str, object] = {
        "reason": reason,
        "status": outcome.status if outcome else None,
        "response": outcome.response if outcome else None,
        "rejected_at": now.isoformat(),
    }
    if line.data.count(b"{") + line.data.count(b"[") <= _MAX_NESTED:
        with suppress(ValueError):  # not JSON: kept as it is
            event = json.loads(line.data.decode())
            if json.dumps(event).encode() == line.data:
                return letter | {"event": event}
    return letter | {"raw": line.data.decode("utf-8", "surrogateescape")}


class DeadLetters:
    """Sets aside what cannot be delivered."""

    def __init__(self, directories: Directories) -> None:
        """Write to the journal of dead letters."""
        self._journal = dead_letter_journal(directories)
        self._patience = PATIENCE_SECONDS

    def write(self, line: Line, reason: str, outcome: Outcome | None, now: datetime) -> bool:
        """Write a line down with its reason; False if that is not possible now."""
        letter = dead_letter(line, reason, outcome, now)
        try:
            self._journal.append([letter], now, wait=self._patience)
        except (OSError, Unsuitable) as error:
            if self._patience:
                _log.warning("dead letters cannot be written, their events stay: %s", error)
            self._patience = 0.0  # somebody who never lets go is waited for once
            return False
        self._patience = PATIENCE_SECONDS
        _log.warning("an event was set aside in %s: %s", self._journal.directory, reason)
        return True


class Receipts:
    """Collects receipts and writes them down in batches."""

    def __init__(self, directories: Directories, endpoint: str, *, keep_sent: bool) -> None:
        """Write receipts for what is sent to `endpoint`, with its bytes if `keep_sent`."""
        self._journal = receipts_journal(directories)
        self._endpoint = endpoint
        self._keep_sent = keep_sent
        self._waiting: deque[Mapping[str, object]] = deque()
        self._patience = PATIENCE_SECONDS

    def accepted(self, event: Event, now: datetime) -> None:
        """Note that an event left this machine."""
        receipt: dict[str, object] = {
            "id": event.id,
            "event_type": event.event_type,
            "date": event.date,
            "sent_at": now.isoformat(),
            "endpoint": self._endpoint,
        }
        if self._keep_sent:
            receipt["event"] = event.body.decode()
        self._waiting.append(receipt)
        if len(self._waiting) > _WAITING_RECEIPTS:
            self._waiting.popleft()
            _log.warning("a receipt was dropped: %s cannot be written", self._journal.directory)

    def flush(self, now: datetime) -> None:
        """Write down what is waiting; on failure it waits on, and the log says so."""
        try:
            self._journal.append(self._waiting, now, wait=self._patience)
        except (OSError, Unsuitable) as error:
            if self._patience:
                _log.warning("receipts cannot be written yet: %s", error)
            self._patience = 0.0  # somebody who never lets go is waited for once
        else:
            self._patience = PATIENCE_SECONDS
            self._waiting.clear()
