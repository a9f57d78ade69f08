"""What the uploader writes down: receipts for what left, dead letters for what cannot be sent."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Mapping
from datetime import datetime

from telemetry_spool.appending import Unsuitable
from telemetry_spool.events import Event
from telemetry_spool.journal import PATIENCE_SECONDS
from telemetry_spool.ledger import receipts_journal
from telemetry_spool.letters import dead_letter, dead_letter_journal
from telemetry_spool.paths import Directories
from telemetry_spool.segment import Line
from uploader.outcome import Outcome

# Receipts wait in memory while the disk is full: deleting events makes room, so delivery goes on.
_WAITING_RECEIPTS = 10_000

_log = logging.getLogger(__name__)


class DeadLetters:
    """Sets aside what cannot be delivered."""

    def __init__(self, directories: Directories) -> None:
        """Write to the journal of dead letters."""
        self._journal = dead_letter_journal(directories)
        self._patience = PATIENCE_SECONDS

    def write(self, line: Line, reason: str, outcome: Outcome | None, now: datetime) -> bool:
        """Write a line down with its reason; False if that is not possible now."""
        status, response = (outcome.status, outcome.response) if outcome else (None, None)
        letter = dead_letter(line.data, reason, now, status=status, response=response)
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
