"""Import receipts: what they settle leaves the bundle's directory, the rest stays outstanding.

What is known of an event is written down before the event is deleted. A crash in between leaves
both, and the next import of the same receipts finds the record and writes no second one.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import BinaryIO

from telemetry_spool.appending import Unsuitable
from telemetry_spool.bundle import answers
from telemetry_spool.bundle.answers import Answer
from telemetry_spool.bundle.files import CarryError, alone, replacing
from telemetry_spool.bundle.names import Places
from telemetry_spool.bundle.outbox import Outbox, lines_of, outboxes
from telemetry_spool.bundle.outstanding import recover
from telemetry_spool.bundle.records import BUNDLE, settled_ids
from telemetry_spool.events import Event, parse
from telemetry_spool.ledger import receipts_journal
from telemetry_spool.letters import dead_letter, dead_letter_journal
from telemetry_spool.listing import SegmentFile
from telemetry_spool.segment import Line, event_id

# Records are written in batches of this many: each is one write, and memory stays small.
_BATCH = 1000


@dataclass(frozen=True, slots=True)
class Settled:
    """What receipts settled: events by what became of them, and what is still outstanding.

    `outstanding` has the bundles that the receipts are about; `unknown` counts answers about
    bundles that are not outstanding here (settled before, or exported elsewhere).
    """

    accepted: int
    rejected: int
    outstanding: dict[str, int]
    unknown: int


@dataclass(slots=True)
class _Records:
    """Receipts and dead letters that wait to be written."""

    places: Places
    now: Callable[[], datetime]
    receipts: list[dict[str, object]] = field(default_factory=list)
    letters: list[dict[str, object]] = field(default_factory=list)

    def add(self, line: Line, answer: Answer) -> None:
        """Add the record of one event."""
        if answer.accepted:
            self.receipts.append(_receipt(line, answer))
        else:
            self.letters.append(_letter(line, answer, self.now()))
        if len(self.receipts) + len(self.letters) >= _BATCH:
            self.write()

    def write(self) -> None:
        """Write what waits. Raises CarryError if somebody holds a file, OSError."""
        try:
            receipts_journal(self.places.directories).append(self.receipts, self.now())
            dead_letter_journal(self.places.directories).append(self.letters, self.now())
        except Unsuitable as error:
            raise CarryError(f"{error}: run this again", os.EX_TEMPFAIL) from error
        self.receipts.clear()
        self.letters.clear()


def settle(places: Places, file: BinaryIO, *, now: Callable[[], datetime]) -> Settled:
    """Act on a file of receipts, which has been read to its end before anything is done.

    Raises BadReceipts or another CarryError, OSError.
    """
    if not places.exported.exists():
        return Settled(0, 0, {}, unknown=sum(1 for _ in answers.read(file)))
    with alone(places):
        recover(places, now)
        known = {outbox.id: outbox for outbox in outboxes(places) if outbox.note() is not None}
        wanted = {name: _outstanding_ids(outbox) for name, outbox in known.items()}
        answered: dict[str, dict[str, Answer]] = {}
        unknown = 0
        for answer in answers.read(file):
            if answer.bundle not in known:
                unknown += 1
                continue
            found = answered.setdefault(answer.bundle, {})
            if answer.id in wanted[answer.bundle]:
                found[answer.id] = answer
        outstanding = {
            name: _settle_bundle(places, known[name], found, now)
            for name, found in sorted(answered.items())
        }
    verdicts = [answer.accepted for found in answered.values() for answer in found.values()]
    return Settled(verdicts.count(True), verdicts.count(False), outstanding, unknown)


def _outstanding_ids(outbox: Outbox) -> set[str]:
    return {event_id(line.data) for segment in outbox.segments() for line in lines_of(segment.path)}


def _settle_bundle(
    places: Places, outbox: Outbox, answered: dict[str, Answer], now: Callable[[], datetime]
) -> int:
    """Write down and delete what is answered; return how many events are outstanding."""
    written = settled_ids(places, outbox.id) if answered else set()
    waiting = _Records(places, now)
    for segment in outbox.segments():
        for line in lines_of(segment.path):
            name = event_id(line.data)
            if name in answered and name not in written:
                written.add(name)
                waiting.add(line, answered[name])
    waiting.write()
    for segment in outbox.segments():
        keep_only(outbox, segment, lambda name: name not in answered)
    left = outbox.events()
    if not left:
        outbox.retire()
    return left


def keep_only(outbox: Outbox, segment: SegmentFile, wanted: Callable[[str], bool]) -> None:
    """Delete the events of an exported segment whose ids are not wanted. Raises OSError."""
    lines = list(lines_of(segment.path))
    kept = [line for line in lines if wanted(event_id(line.data))]
    if not kept:
        outbox.path(segment.name).unlink()
    elif len(kept) < len(lines):
        with replacing(outbox.path(segment.name)) as file:
            file.writelines(line.data + b"\n" for line in kept)


def _receipt(line: Line, answer: Answer) -> dict[str, object]:
    event = parse(line)
    known = event if isinstance(event, Event) else None
    return {
        "id": answer.id,
        "event_type": known.event_type if known else "",
        "date": known.date if known else "",
        "sent_at": answer.at,
        "endpoint": answer.endpoint or "",
        BUNDLE: answer.bundle,
    }


def _letter(line: Line, answer: Answer, now: datetime) -> dict[str, object]:
    letter = dead_letter(
        line.data, answer.reason or "", now, status=answer.status, response=answer.response
    )
    return letter | {"rejected_at": answer.at or letter["rejected_at"], BUNDLE: answer.bundle}
