"""What is in a piece, event by event: what requests and receipts are made of."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import cached_property
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
    """The entries of consecutive events, by their numbers: from 0 on, in their order."""

    def __len__(self) -> int:
        """Return how many there are."""
        ...

    @property
    def ids(self) -> Sequence[str]:
        """The id of each, in hex digits."""
        ...

    @property
    def agents(self) -> Sequence[str]:
        """The User-Agent of each."""
        ...

    def entries(self, first: int = 0, count: int = sys.maxsize) -> Sequence[Entry]:
        """Return so many, or all from the first on."""
        ...

    def digests(self, first: int, count: int) -> bytes:
        """Return the ids of so many, 32 bytes each."""
        ...

    def receipts(self, numbers: Sequence[int], rest: str) -> bytes | bytearray:
        """Return a receipt for each of these, one a line, with the members in `rest` at its end."""
        ...


class Listed:
    """A manifest that has been read line by line."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        """Hold these entries."""
        self._entries = entries

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._entries)

    @cached_property
    def ids(self) -> Sequence[str]:
        """The id of each, in hex digits."""
        return [entry.id for entry in self._entries]

    @cached_property
    def agents(self) -> Sequence[str]:
        """The User-Agent of each."""
        return [entry.agent for entry in self._entries]

    def entries(self, first: int = 0, count: int = sys.maxsize) -> Sequence[Entry]:
        """Return so many, or all from the first on."""
        return self._entries[first : first + count]

    def digests(self, first: int, count: int) -> bytes:
        """Return the ids of so many, 32 bytes each."""
        return bytes.fromhex("".join(self.ids[first : first + count]))

    def receipts(self, numbers: Sequence[int], rest: str) -> bytes:
        """Return a receipt for each of these, one a line, with the members in `rest` at its end."""
        receipts = [
            f'{{"id": "{id_}", "event_type": {_json(event_type)}, "date": {_json(date)}, {rest}}}\n'
            for id_, event_type, date, _ in map(self._entries.__getitem__, numbers)
        ]
        return "".join(receipts).encode()


def entry_of(line: Line) -> Entry | Malformed:
    """Read one line, whatever is in it."""
    event = parse(line)
    if isinstance(event, Malformed):
        return event
    return Entry(event.id, event.event_type, event.date, agent_of(event.context))
