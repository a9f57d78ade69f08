"""What Flower's events contain, and why: the one source is `event.schema.json` beside this."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

SCHEMA_FILE = Path(__file__).with_name("event.schema.json")


@dataclass(frozen=True, slots=True)
class Field:
    """One field of an event.

    `path` is `context.hw.cpu_count`; `kind` is a word or two for its type; `example` is JSON.
    `documented` tells whether Flower's telemetry pages mention it, `source` where it is known from.
    """

    path: str
    kind: str
    what: str
    why: str
    example: str
    source: str
    documented: bool


@cache
def event_schema() -> dict[str, Any]:
    """Return the JSON Schema of an event. Raises OSError if the package is not whole."""
    schema: dict[str, Any] = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    return schema


@cache
def fields() -> tuple[Field, ...]:
    """Return every field that an event may have, in the order in which Flower sends them."""
    return tuple(_fields(event_schema(), ""))


def _fields(schema: Mapping[str, Any], path: str) -> Iterator[Field]:
    for name, part in schema["properties"].items():
        inner = f"{path}.{name}" if path else name
        if "properties" in part:
            yield from _fields(part, inner)
        else:
            yield Field(
                path=inner,
                kind=_kind(part["type"]),
                what=part["description"],
                why=part["x-why"],
                example=json.dumps(part["examples"][0], ensure_ascii=False),
                source=part["x-source"],
                documented=part["x-documented"],
            )


def _kind(types: str | list[str]) -> str:
    return types if isinstance(types, str) else " or ".join(types)


@cache
def groups() -> Mapping[str, str]:
    """Return the paths of the objects in an event, each with what it is."""
    return dict(_groups(event_schema(), ""))


def _groups(schema: Mapping[str, Any], path: str) -> Iterator[tuple[str, str]]:
    for name, part in schema["properties"].items():
        if "properties" in part:
            inner = f"{path}.{name}" if path else name
            yield inner, part["description"]
            yield from _groups(part, inner)


@cache
def event_types() -> Mapping[str, str]:
    """Return the types of events, each with its meaning."""
    known = event_schema()["properties"]["event_type"]["anyOf"]
    return {each["const"]: each["description"] for each in known}


def pages() -> list[str]:
    """Return the addresses of Flower's telemetry pages."""
    addresses: list[str] = event_schema()["x-pages"]
    return addresses
