"""Compare a value with a JSON Schema, in as much of that language as `event.schema.json` speaks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

_TYPES: Mapping[str, tuple[type, ...]] = {
    "array": (list,),
    "boolean": (bool,),
    "integer": (int,),
    "null": (type(None),),
    "object": (dict,),
    "string": (str,),
}

Path = tuple[str, ...]

Deviation = tuple[Path, str]
"""Where a value is not as it should be, and what is wrong there."""


def deviations(value: object, schema: Mapping[str, Any], path: Path = ()) -> Iterator[Deviation]:
    """Yield where a value is not as the schema says. Unknown keys are yielded by their own path.

    Knows `type`, `const`, `anyOf` of these, `pattern`, `minimum`, `items`, `properties`, `required`
    and `additionalProperties: false`.
    """
    types = schema.get("type", [])
    if types and not any(_is(value, name) for name in _listed(types)):
        yield path, f"is no {' or '.join(_listed(types))}"
        return
    if isinstance(value, dict):
        yield from _object(value, schema, path)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from deviations(item, schema.get("items", {}), (*path, str(number)))
    elif not _allowed(value, schema):
        yield path, "has a value that Flower is not known to send"


def _object(value: Mapping[str, Any], schema: Mapping[str, Any], path: Path) -> Iterator[Deviation]:
    known = schema.get("properties", {})
    for name in schema.get("required", ()):
        if name not in value:
            yield (*path, name), "is missing"
    for name, part in value.items():
        if name in known:
            yield from deviations(part, known[name], (*path, name))
        elif schema.get("additionalProperties") is False:
            yield (*path, name), "is a field that Flower is not known to send"


def _allowed(value: object, schema: Mapping[str, Any]) -> bool:
    if isinstance(value, str) and not re.search(schema.get("pattern", ""), value):
        return False
    if isinstance(value, int | float) and value < schema.get("minimum", value):
        return False
    choices = schema.get("anyOf")
    return choices is None or any(choice["const"] == value for choice in choices)


def _is(value: object, name: str) -> bool:
    if name == "integer" and isinstance(value, float):
        return value.is_integer()  # JSON does not tell 1.0 from 1
    if isinstance(value, bool):
        return name == "boolean"
    return isinstance(value, _TYPES[name])


def _listed(types: str | list[str]) -> list[str]:
    return [types] if isinstance(types, str) else types
