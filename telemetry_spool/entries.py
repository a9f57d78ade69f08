"""What is known here of each event, wherever it is: in the spool, rejected, sent, or lost."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from telemetry_spool import letters
from telemetry_spool.dropbox import is_served
from telemetry_spool.events import Event, parse
from telemetry_spool.journal import Journal
from telemetry_spool.ledger import receipts_journal
from telemetry_spool.listing import list_segments, pending_lines
from telemetry_spool.paths import Directories, Kind
from telemetry_spool.segment import Line, event_id
from telemetry_spool.writer_settings import LARGEST_EVENT_BYTES

NO_EVENT = "(not an event)"
"""Stands for the type of a line that is no event."""

Complain = Callable[[str], None]


class State(StrEnum):
    """What became of an event."""

    PENDING = "pending"
    """In the spool; the uploader sends it when it may."""
    LOCAL = "local"
    """In the spool, recorded in mode `local`: never sent by itself."""
    REJECTED = "rejected"
    """A dead letter: no event, or refused by the endpoint."""
    SENT = "sent"
    """Accepted by the endpoint; a receipt says so."""
    LOST = "lost"
    """Never made it; the loss ledger says why. Only the number is known."""


SPOOLED = (State.PENDING, State.LOCAL)
"""The states of what is in the spool."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One event (or `count` lost ones) and what it says of itself; what it does not say is empty.

    `body` has its exact bytes without a newline, None where they are gone. `more` is what the
    record has besides: the reason of a rejection or a loss, where and when it was sent.
    """

    state: State
    id: str
    event_type: str
    date: str
    file: str
    body: bytes | None = None
    source: str = ""
    cluster: str = ""
    version: str = ""
    count: int = 1
    more: Mapping[str, object] = field(default_factory=dict)


def of_line(line: Line, state: State, file: str, more: Mapping[str, object] | None = None) -> Entry:
    """Return the entry of a line that may or may not be an event."""
    event = parse(line)
    if not isinstance(event, Event):
        return Entry(state, event_id(line.data), NO_EVENT, "", file, line.data, more=more or {})
    flower = event.context.get("flower")
    return Entry(
        state,
        event.id,
        event.event_type,
        event.date,
        file,
        line.data,
        source=_text(event.context.get("source")),
        cluster=_text(event.context.get("cluster")),
        version=_text(flower.get("package_version")) if isinstance(flower, dict) else "",
        more=more or {},
    )


def of_letter(text: bytes, file: str) -> Entry | None:
    """Return the entry of a line of the dead letters; None if it is no letter."""
    letter = _object(text)
    try:
        body = letters.line_of(letter)
    except ValueError:
        return None
    more = {name: letter.get(name) for name in ("reason", "status", "response", "rejected_at")}
    return of_line(Line(0, len(body) + 1, body), State.REJECTED, file, more)


def of_receipt(text: bytes, file: str) -> Entry | None:
    """Return the entry of a line of the receipts, sent or lost; None if it is neither."""
    record = _object(text)
    if isinstance(record.get("lost"), int):
        more = {"reason": record.get("reason")}
        return Entry(
            State.LOST,
            "",
            "",
            _text(record.get("lost_at")),
            file,
            count=int(record["lost"]),
            more=more,
        )
    if not isinstance(record.get("id"), str):
        return None
    more = {name: record.get(name) for name in ("sent_at", "endpoint")}
    kept = record.get("event")
    if isinstance(kept, str):
        body = kept.encode("utf-8", "surrogatepass")
        return of_line(Line(0, len(body) + 1, body), State.SENT, file, more)
    event_type, date = _text(record.get("event_type")), _text(record.get("date"))
    return Entry(State.SENT, record["id"], event_type, date, file, more=more)


def _object(text: bytes) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def state_of(kind: Kind) -> State:
    """Return the state of the events in a segment."""
    return State.LOCAL if kind.local else State.PENDING


def entries(
    directories: Directories, states: Iterable[State], complain: Complain
) -> Iterator[Entry]:
    """Yield the events in these states, the oldest file first; memory stays small.

    What cannot be read is given to `complain` in one line and passed by. Raises OSError if a
    directory cannot be listed.
    """
    wanted = set(states)
    if wanted & set(SPOOLED):
        yield from _spooled(directories, wanted, complain)
    if State.REJECTED in wanted:
        yield from _recorded(letters.dead_letter_journal(directories), of_letter, complain)
    if wanted & {State.SENT, State.LOST}:
        for entry in _recorded(receipts_journal(directories), of_receipt, complain):
            if entry.state in wanted:
                yield entry


def _spooled(directories: Directories, wanted: set[State], complain: Complain) -> Iterator[Entry]:
    if is_served(str(directories.spool)):
        complain(
            f"{directories.spool} is a drop box: what is sealed in it only its service can see"
        )
    for segment in list_segments(str(directories.spool)):
        state = state_of(segment.kind)
        if state not in wanted:
            continue
        try:
            for line in pending_lines(segment, limit=LARGEST_EVENT_BYTES):
                yield of_line(line, state, segment.name)
        except OSError as error:
            complain(f"{segment.path} cannot be read: {error.strerror}")


def _recorded(
    journal: Journal, read: Callable[[bytes, str], Entry | None], complain: Complain
) -> Iterator[Entry]:
    for path in journal.files():
        try:
            for text in _lines(path):
                entry = read(text, path.name)
                if entry is not None:
                    yield entry
        except FileNotFoundError:
            continue  # too old or too much since it was listed
        except OSError as error:
            complain(f"{path} cannot be read: {error.strerror}")


def _lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from file


def as_json(entry: Entry) -> dict[str, object]:
    """Return an entry for `--json`."""
    row: dict[str, object] = {
        "id": entry.id,
        "event_type": entry.event_type,
        "date": entry.date,
        "state": entry.state.value,
        "file": entry.file,
    }
    if entry.state is State.LOST:
        row["lost"] = entry.count
    return row | dict(entry.more)
