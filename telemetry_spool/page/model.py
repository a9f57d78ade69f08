"""What the page shows, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from telemetry_spool.entries import Entry, State
from telemetry_spool.overview import Overview
from telemetry_spool.page.timeline import Timeline
from telemetry_spool.schema import Field


@dataclass(frozen=True, slots=True)
class Total:
    """All events of a state: how many, their bytes, and how many of each type.

    `oldest` and `newest` are dates as the events or records say them, empty if there is none.
    """

    events: int
    bytes: int
    oldest: str
    newest: str
    types: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Loss:
    """Events lost for one reason, and when that happened first and last."""

    reason: str
    events: int
    first: str
    last: str


@dataclass(frozen=True, slots=True)
class Next:
    """What the next upload would send: how many events, the first few, the first request."""

    events: int
    first: tuple[Entry, ...]
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Page:
    """Everything there is to show. `entries` are the newest; `totals` count all.

    `forced` says what must happen before the user's choice of mode counts, empty if it does. `seen`
    has the value of each field, by path, in the newest event. `refresh` is the time in seconds
    after which the file may be another one.
    """

    now: datetime
    host: str
    version: str
    state: Overview
    forced: str
    problems: tuple[str, ...]
    totals: Mapping[State, Total]
    losses: tuple[Loss, ...]
    entries: tuple[Entry, ...]
    next: Next
    timeline: Timeline
    fields: tuple[Field, ...]
    seen: Mapping[str, str]
    pages: tuple[str, ...]
    refresh: int | None


def when(entry: Entry) -> str:
    """Return the time at which an event got into its state, ISO 8601; empty if nobody knows."""
    time = {State.SENT: "sent_at", State.REJECTED: "rejected_at"}.get(entry.state)
    found = entry.more.get(time) if time else entry.date
    return found if isinstance(found, str) else ""
