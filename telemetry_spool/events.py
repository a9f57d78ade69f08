"""A line as an event: proved to be one JSON object, and what it says of itself."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from telemetry_spool.segment import Line, event_id

LABEL_CHARACTERS = 100
"""Type and date are labels in receipts and lists; what is longer is no label."""


@dataclass(frozen=True, slots=True)
class Event:
    """A whole event: its exact bytes, its id, and what it says of itself.

    `event_type` and `date` are empty, and `context` is, where the event has none.
    """

    body: bytes
    id: str
    event_type: str
    date: str
    context: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Malformed:
    """A line that is no event, and why."""

    reason: str


def parse(line: Line) -> Event | Malformed:
    """Read a line as an event."""
    if line.cut:
        return Malformed(f"longer than any event: {line.end - line.start} bytes")
    try:
        payload = json.loads(line.data.decode())
    except (ValueError, RecursionError) as error:
        return Malformed(f"not JSON: {error}")
    if not isinstance(payload, dict):
        return Malformed("not one JSON object")
    context = payload.get("context")
    context = context if isinstance(context, dict) else {}
    return Event(
        body=line.data,
        id=event_id(line.data),
        event_type=_label(payload.get("event_type")),
        date=_label(context.get("date")),
        context=context,
    )


def _label(value: object) -> str:
    return value[:LABEL_CHARACTERS] if isinstance(value, str) else ""
