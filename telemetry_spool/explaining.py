"""Say of each value in an event what it is and why it is sent."""

from __future__ import annotations

import json
from collections.abc import Iterator

from telemetry_spool.schema import event_types, fields, groups


def explained(event: object) -> Iterator[tuple[str, list[str]]]:
    """Yield for each value in an event `path = value`, and the lines that explain it.

    The event came from JSON. Objects are gone into, lists are values.
    """
    known = {field.path: field for field in fields()}
    for path, value in _values(event):
        field = known.get(path)
        if field is None and path in groups():
            lines = [groups()[path]]
        elif field is None:
            lines = ["Flower is not known to send it; telemetry-spool audit says more."]
        else:
            lines = [field.what, f"Why: {field.why}", f"Known from: {field.source}."]
        if path == "event_type" and isinstance(value, str) and value in event_types():
            lines.insert(1, f"This one: {event_types()[value]}")
        yield f"{path} = {json.dumps(value)}", lines


def _values(event: object) -> Iterator[tuple[str, object]]:
    # Without recursion: an event may be nested as deep as Python's stack.
    waiting = [("", event)]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, dict) and value:
            inner = [(f"{path}.{name}" if path else name, part) for name, part in value.items()]
            waiting += reversed(inner)
        else:
            yield path or "(event)", value
