"""Read the journals once: what was sent, what was lost and why, what was set aside."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from telemetry_spool.journal import Journal
from telemetry_spool.ledger import receipts_journal
from telemetry_spool.letters import dead_letter_journal, line_of
from telemetry_spool.listing import open_segment
from telemetry_spool.page.model import Entry, Loss, State
from telemetry_spool.page.tally import Counting, Newest
from telemetry_spool.page.timeline import Tally
from telemetry_spool.paths import Directories
from telemetry_spool.segment import event_id, read_lines
from telemetry_spool.writer_settings import LARGEST_EVENT_BYTES

# A dead letter has an event, in which each byte may be escaped, and the beginning of an answer.
_LONGEST_RECORD = 8 * LARGEST_EVENT_BYTES

# Reasons are sentences of ours, but some name a file.
_MOST_REASONS = 50
_OTHER_REASONS = "other reasons"


@dataclass(slots=True)
class JournalScan:
    """What one pass over the journals found; `lost` has the hours of losses."""

    sent: Counting = field(default_factory=Counting)
    rejected: Counting = field(default_factory=Counting)
    lost: Tally = field(default_factory=Tally)
    losses: dict[str, Loss] = field(default_factory=dict)
    newest: dict[State, Newest[Entry]] = field(
        default_factory=lambda: {State.SENT: Newest(), State.REJECTED: Newest()}
    )
    problems: list[str] = field(default_factory=list)

    def entries(self) -> list[Entry]:
        """Return the newest events of both states."""
        return [entry for newest in self.newest.values() for entry in newest.things()]


def scan_journals(directories: Directories) -> JournalScan:
    """Read receipts, losses and dead letters; what cannot be read becomes a problem."""
    scan = JournalScan()
    for path, record in _records(receipts_journal(directories), scan.problems):
        if "lost" in record:
            _add_loss(scan, record)
        else:
            _add_receipt(scan, record, path.name)
    for path, record in _records(dead_letter_journal(directories), scan.problems):
        _add_letter(scan, record, path.name)
    return scan


def _records(journal: Journal, problems: list[str]) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """Yield each record with the file that it is in; a line that is none is passed over."""
    try:
        files = journal.files()
    except OSError as error:
        problems.append(f"{journal.directory} cannot be listed: {error.strerror}")
        return
    for path in files:
        try:
            descriptor = open_segment(str(path))
        except OSError as error:
            problems.append(f"{path} cannot be read: {error.strerror}")
            continue
        try:
            for line in read_lines(descriptor, limit=_LONGEST_RECORD):
                record = _record(line.data)
                if record is not None:
                    yield path, record
        except OSError as error:
            problems.append(f"{path} cannot be read: {error.strerror}")
        finally:
            os.close(descriptor)


def _record(data: bytes) -> dict[str, Any] | None:
    try:
        record = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def _add_receipt(scan: JournalScan, record: Mapping[str, Any], file: str) -> None:
    event = record.get("event")
    entry = Entry(
        state=State.SENT,
        id=_text(record, "id"),
        event_type=_text(record, "event_type"),
        when=_text(record, "sent_at"),
        file=file,
        content=event if isinstance(event, str) else None,
        facts=(("Happened", _text(record, "date")), ("Sent to", _text(record, "endpoint"))),
    )
    size = len(entry.content or "")
    scan.sent.add(entry.event_type, entry.when, size)
    scan.newest[State.SENT].add(entry, size)


def _add_loss(scan: JournalScan, record: Mapping[str, Any]) -> None:
    count, when = record["lost"], _text(record, "lost_at")
    if not isinstance(count, int):
        return
    scan.lost.add(when, count)
    reason = _text(record, "reason")
    if reason not in scan.losses and len(scan.losses) >= _MOST_REASONS:
        reason = _OTHER_REASONS
    before = scan.losses.get(reason, Loss(reason, 0, when, when))
    scan.losses[reason] = Loss(
        reason, before.events + count, min(before.first, when), max(before.last, when)
    )


def _add_letter(scan: JournalScan, record: Mapping[str, Any], file: str) -> None:
    try:
        data = line_of(record)
    except (ValueError, RecursionError):
        return
    event = record.get("event")
    found = event.get("event_type") if isinstance(event, dict) else None
    facts = [("Reason", _text(record, "reason"))]
    if isinstance(record.get("status"), int):
        facts.append(("Status", str(record["status"])))
    if _text(record, "response"):
        facts.append(("Answer", _text(record, "response")))
    entry = Entry(
        state=State.REJECTED,
        id=event_id(data),
        event_type=found[:100] if isinstance(found, str) else "(not an event)",
        when=_text(record, "rejected_at"),
        file=file,
        content=data.decode("utf-8", "surrogateescape"),
        facts=tuple(facts),
    )
    scan.rejected.add(entry.event_type, entry.when, len(data))
    scan.newest[State.REJECTED].add(entry, len(data))


def _text(record: Mapping[str, Any], key: str) -> str:
    value = record.get(key)
    return value if isinstance(value, str) else ""
