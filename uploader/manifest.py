"""What is in a piece, event by event: what requests and receipts are made of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from json.encoder import encode_basestring_ascii as _json
from typing import NamedTuple, Protocol

from telemetry_spool.events import Malformed, parse
from telemetry_spool.headers import agent_of
from telemetry_spool.segment import Line


class Entry(NamedTuple):
    """An event's id in hex digits; its type and date, empty if it has none; its User-Agent."""

    id: str
    event_type: str
    date: str
    agent: str


class Manifest(Protocol):
    """The entries of consecutive events, in their order."""

    def __len__(self) -> int:
        """Return how many there are, one at least."""
        ...

    def entries(self) -> Iterable[Entry]:
        """Return all of them."""
        ...

    def ids(self) -> bytes:
        """Return the ids, 32 bytes each."""
        ...

    def receipts(self, rest: str) -> bytes | bytearray:
        """Return a receipt for each, one a line, with the members in `rest` behind its own."""
        ...

    def part(self, start: int, stop: int) -> Manifest:
        """Return those from number `start` on up to `stop`, or to the end."""
        ...


class Listed:
    """A manifest that has been read line by line."""

    __slots__ = ("_entries",)

    def __init__(self, entries: Sequence[Entry]) -> None:
        """Hold these entries."""
        self._entries = entries

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._entries)

    def entries(self) -> Sequence[Entry]:
        """Return all of them."""
        return self._entries

    def ids(self) -> bytes:
        """Return the ids, 32 bytes each."""
        return bytes.fromhex("".join(entry.id for entry in self._entries))

    def receipts(self, rest: str) -> bytes:
        """Return a receipt for each, one a line, with the members in `rest` behind its own."""
        receipts = [
            f'{{"id": "{id_}", "event_type": {_json(event_type)}, "date": {_json(date)}, {rest}}}\n'
            for id_, event_type, date, _ in self._entries
        ]
        return "".join(receipts).encode()

    def part(self, start: int, stop: int) -> Listed:
        """Return those from number `start` on up to `stop`, or to the end."""
        return Listed(self._entries[start:stop])


def entry_of(line: Line) -> Entry | Malformed:
    """Read one line, whatever is in it."""
    event = parse(line)
    if isinstance(event, Malformed):
        return event
    return Entry(event.id, event.event_type, event.date, agent_of(event.context))
