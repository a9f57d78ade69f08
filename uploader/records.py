"""What the uploader writes down: receipts for what left, dead letters for what cannot be sent."""

from __future__ import annotations

import json
import logging
import time
from collections import deque
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import groupby
from operator import attrgetter

from telemetry_spool.appending import Unsuitable
from telemetry_spool.journal import PART_BYTES, PATIENCE_SECONDS
from telemetry_spool.ledger import LossLedger, receipts_journal
from telemetry_spool.letters import dead_letter, dead_letter_journal
from telemetry_spool.paths import Directories
from uploader.gates import Owner
from uploader.outcome import Outcome
from uploader.pieces import Piece
from uploader.trimming import trim_letters, trim_receipts

# Receipts are written many at once, and wait in memory while the disk is full: deleting events
# makes room, so delivery goes on.
_WRITTEN_RECEIPTS = 4_096
_WAITING_RECEIPTS = 16_384
_DROPPED_RECEIPTS = 1_024

# A file of bad lines is worth a few lines in the log, not one each.
_MOST_WARNINGS = 20
_WARNINGS_SECONDS = 60.0

_MANIFEST = attrgetter("manifest")

_log = logging.getLogger(__name__)


class DeadLetters:
    """Sets aside what cannot be delivered."""

    def __init__(
        self, directories: Directories, owner: Owner = None, losses: LossLedger | None = None
    ) -> None:
        """Write to the owner's journal of dead letters; what it has no room for is lost."""
        self._journal = dead_letter_journal(directories).of(owner)
        self._losses = losses or LossLedger(directories, owner)
        self._patience = PATIENCE_SECONDS
        self._untrimmed = 0
        self._warnings = 0
        self._warns_from = 0.0

    def write(self, data: bytes, reason: str, outcome: Outcome | None, now: datetime) -> bool:
        """Write a line down with its reason; False if that is not possible now."""
        status, response = (outcome.status, outcome.response) if outcome else (None, None)
        letter = dead_letter(data, reason, now, status=status, response=response)
        try:
            self._untrimmed += self._journal.append([letter], now, wait=self._patience)
            if self._untrimmed >= PART_BYTES:
                self._untrimmed = 0
                trim_letters(self._journal, self._losses, now)
        except (OSError, Unsuitable) as error:
            if self._patience:
                _log.warning("dead letters cannot be written, their events stay: %s", error)
            self._patience = 0.0  # somebody who never lets go is waited for once
            return False
        self._patience = PATIENCE_SECONDS
        self._warn(reason)
        return True

    def _warn(self, reason: str) -> None:
        if time.monotonic() >= self._warns_from + _WARNINGS_SECONDS:
            self._warns_from, self._warnings = time.monotonic(), 0
        self._warnings += 1
        if self._warnings < _MOST_WARNINGS:
            _log.warning("an event was set aside in %s: %s", self._journal.directory, reason)
        elif self._warnings == _MOST_WARNINGS:
            _log.warning("more events are set aside in %s", self._journal.directory)


class Receipts:
    """Collects receipts and writes them down in batches."""

    def __init__(
        self, directories: Directories, endpoint: str, *, keep_sent: bool, owner: Owner = None
    ) -> None:
        """Write receipts for what is sent to `endpoint`, with its bytes if `keep_sent`."""
        self._journal = receipts_journal(directories).of(owner)
        self._endpoint = json.dumps(endpoint)
        self._keep_sent = keep_sent
        self._waiting: deque[bytes | bytearray] = deque()
        self._count = 0
        self._patience = PATIENCE_SECONDS
        self._untrimmed = 0
        self._pieces: list[Piece] = []
        self._accepted_at = datetime.min

    def accepted(self, pieces: Sequence[Piece], now: datetime) -> None:
        """Note that the events of pieces left this machine."""
        if now != self._accepted_at:
            self._write_out()
            self._accepted_at = now
        self._pieces += pieces
        self._count += sum([piece.events for piece in pieces])
        if self._count > _WRITTEN_RECEIPTS and self._patience:
            self.flush(now)
        excess = self._count - _WAITING_RECEIPTS
        if excess > 0:
            self._drop(max(excess, _DROPPED_RECEIPTS))

    def _write_out(self) -> None:
        """Make receipts of what was accepted at the same time; many at once cost less."""
        end = f'"sent_at": "{self._accepted_at.isoformat()}", "endpoint": {self._endpoint}'
        if self._keep_sent:
            self._waiting += [_with_bytes(piece, end) for piece in self._pieces]
        else:
            self._waiting += _receipts(self._pieces, end)
        self._pieces.clear()

    def _drop(self, count: int) -> None:
        self._write_out()
        self._count -= count
        left = count
        while left:
            oldest = self._waiting.popleft()
            receipts = oldest.count(b"\n")
            if receipts > left:
                self._waiting.appendleft(oldest.split(b"\n", left)[-1])
                break
            left -= receipts
        where = self._journal.directory
        _log.warning("%d receipts were dropped: %s cannot be written", count, where)

    def flush(self, now: datetime) -> None:
        """Write down what is waiting; on failure it waits on, and the log says so."""
        self._write_out()
        try:
            self._untrimmed += self._journal.append_lines(
                b"".join(self._waiting), now, self._patience
            )
            self._waiting.clear()
            self._count = 0
            if self._untrimmed >= PART_BYTES:
                self._untrimmed = 0
                trim_receipts(self._journal, now)
        except (OSError, Unsuitable) as error:
            if self._patience:
                _log.warning("receipts cannot be written yet: %s", error)
            self._patience = 0.0  # somebody who never lets go is waited for once
        else:
            self._patience = PATIENCE_SECONDS


def _receipts(pieces: Sequence[Piece], rest: str) -> Iterator[bytes | bytearray]:
    """Yield the receipts of pieces, those together that were read together."""
    for manifest, together in groupby(pieces, key=_MANIFEST):
        numbers: list[int] = []
        for piece in together:
            if piece.events == 1:
                numbers.append(piece.first)
            else:
                numbers += range(piece.first, piece.first + piece.events)
        yield manifest.receipts(numbers, rest)


def _with_bytes(piece: Piece, rest: str) -> bytes:
    (receipts,) = _receipts([piece], f'{rest}, "event": ')
    return b"".join(
        b"%b%b}\n" % (receipt[:-1], json.dumps(line.decode()).encode())
        for receipt, line in zip(bytes(receipts).splitlines(), piece.lines(), strict=True)
    )
