"""Copies of events for reading, as JSON lines or as a table. The spool stays as it is."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, BinaryIO

from telemetry_spool.events import Event, parse
from telemetry_spool.listing import list_segments, pending_lines
from telemetry_spool.segment import event_id
from telemetry_spool.writer_settings import LARGEST_EVENT_BYTES


class Copy(StrEnum):
    """The kinds of copies."""

    JSONL = "jsonl"
    """The exact lines."""
    CSV = "csv"
    """One row an event, with `COLUMNS`."""


COLUMNS: dict[str, tuple[str, ...]] = {
    "flower_package": ("flower", "package_name"),
    "flower_version": ("flower", "package_version"),
    "partner": ("partner",),
    "source": ("source",),
    "cluster": ("cluster",),
    "cpu_count": ("hw", "cpu_count"),
    "system": ("platform", "system"),
    "release": ("platform", "release"),
    "platform": ("platform", "platform"),
    "python_implementation": ("platform", "python_implementation"),
    "python_version": ("platform", "python_version"),
    "machine": ("platform", "machine"),
    "architecture": ("platform", "architecture"),
    "version": ("platform", "version"),
}
"""The columns that are in an event's context, and where."""

_HEADER = ("id", "state", "event_type", "date", *COLUMNS, "event_details")

# A cell that begins so is a formula to a spreadsheet, and what is in an event comes from anywhere.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


@dataclass(slots=True)
class Copied:
    """How many events were copied, and how many lines are none and were left out."""

    events: int = 0
    left_out: int = 0
    problems: list[str] = field(default_factory=list)
    """Segments that could not be read, with the reason."""


def copy(spool: Path, kind: Copy, target: BinaryIO) -> Copied:
    """Copy every pending event, the oldest segment first; memory stays small. Raises OSError."""
    copied = Copied()
    write = _jsonl(target) if kind is Copy.JSONL else _csv(target)
    for event, state in _events(spool, copied):
        write(event, state)
        copied.events += 1
    return copied


def _events(spool: Path, copied: Copied) -> Iterator[tuple[Event, str]]:
    for segment in list_segments(str(spool)):
        try:
            for line in pending_lines(segment, limit=LARGEST_EVENT_BYTES):
                event = parse(line)
                if isinstance(event, Event):
                    yield event, "local" if segment.kind.local else "pending"
                else:
                    copied.left_out += 1
        except OSError as error:
            copied.problems.append(f"{segment.path} cannot be read: {error.strerror}")


def _jsonl(target: BinaryIO) -> Callable[[Event, str], None]:
    def write(event: Event, _: str) -> None:
        target.write(event.body + b"\n")

    return write


def _csv(target: BinaryIO) -> Callable[[Event, str], None]:
    text = io.StringIO(newline="")
    table = csv.writer(text)

    def write_row(cells: Iterator[object] | tuple[object, ...]) -> None:
        table.writerow(map(cell, cells))
        target.write(text.getvalue().encode("utf-8", "backslashreplace"))
        text.seek(0)
        text.truncate()

    def write(event: Event, state: str) -> None:
        details = json.loads(event.body).get("event_details")
        context = (_at(event.context, path) for path in COLUMNS.values())
        named = (event_id(event.body), state, event.event_type, event.date)
        write_row((*named, *context, None if details is None else json.dumps(details)))

    write_row(_HEADER)
    return write


def _at(context: dict[str, Any], path: tuple[str, ...]) -> object:
    value: object = context
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def cell(value: object) -> str:
    """Return a value as the text of a cell that no spreadsheet takes for a formula."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value)
    return f"'{text}" if isinstance(value, str) and text.startswith(_FORMULA) else text
