"""What the page shows, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from telemetry_spool.consent import Consent
from telemetry_spool.heartbeat import Heartbeat
from telemetry_spool.page.timeline import Timeline
from telemetry_spool.paths import Directories
from telemetry_spool.schema import Field


class State(StrEnum):
    """Where an event has got to."""

    PENDING = "pending"
    """Recorded; an uploader may send it."""
    LOCAL = "local"
    """Recorded in mode `local`: never sent by itself."""
    REJECTED = "rejected"
    """Set aside with a reason."""
    SENT = "sent"
    """Accepted by the endpoint; what is left of it is its receipt."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One event. `when` is the time of its state, ISO 8601, and `file` the name of its file.

    `content` is its exact text, None where only a receipt is kept; `facts` are labels and values.
    """

    state: State
    id: str
    event_type: str
    when: str
    file: str
    content: str | None
    facts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Total:
    """All events of a state: how many, their bytes, and how many of each type.

    `oldest` and `newest` are dates as the events or receipts say them, empty if there is none.
    """

    events: int = 0
    bytes: int = 0
    oldest: str = ""
    newest: str = ""
    types: Mapping[str, int] | None = None


@dataclass(frozen=True, slots=True)
class Loss:
    """Events lost for one reason, and when that happened first and last."""

    reason: str
    events: int
    first: str
    last: str


@dataclass(frozen=True, slots=True)
class Uploader:
    """The uploader's last heartbeat. `alive` is None if it is on another host."""

    heartbeat: Heartbeat
    alive: bool | None


@dataclass(frozen=True, slots=True)
class Page:
    """Everything there is to show. `entries` are the newest; `totals` count all.

    `next_up` are the events that would be sent first; `seen` has the value of each field, by path,
    in the newest event. `refresh` is the time in seconds after which the file may be another one.
    """

    now: datetime
    host: str
    version: str
    directories: Directories
    consent: Consent
    forced: str
    advice: str
    problems: tuple[str, ...]
    uploader: Uploader | None
    totals: Mapping[State, Total]
    losses: tuple[Loss, ...]
    entries: tuple[Entry, ...]
    next_up: tuple[Entry, ...]
    timeline: Timeline
    fields: tuple[Field, ...]
    seen: Mapping[str, str]
    pages: tuple[str, ...]
    refresh: int | None = None
