"""An event's context, serialised once: only the date changes from one event to the next."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

# What `json.dumps` calls when it is given no options.
_encode = json.JSONEncoder().encode

_KEYS = ["event_type", "event_details", "context"]


@dataclass(frozen=True, slots=True)
class ContextTemplate:
    """The JSON text of a context, cut where its date belongs."""

    before_date: str
    after_date: str

    def line(self, event_type: str, details: dict[str, Any] | None, date: str) -> bytes:
        """Return an event's line, byte for byte what `json.dumps` makes of the whole payload.

        Raises TypeError or ValueError if the details cannot be serialised.
        """
        payload = {"event_type": event_type, "event_details": {} if details is None else details}
        head = _encode(payload)[:-1]
        return f'{head}, "context": {self.before_date}{date}{self.after_date}}}'.encode()


def template_of(line: bytes) -> ContextTemplate | None:
    """Cut the context out of an event's line; None if the line is not made as Flower makes it.

    The cut is proved by putting the line together again.
    """
    try:
        payload = json.loads(line)
        if list(payload) != _KEYS:
            return None
        date = payload["context"]["date"]
        before, found, after = json.dumps(payload["context"]).partition(date)
        template = ContextTemplate(before, after)
        again = template.line(payload["event_type"], payload["event_details"], date)
    except (ValueError, TypeError, KeyError):
        return None
    return template if found and again == line and date not in after else None
