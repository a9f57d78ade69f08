"""An event's context, serialised once: only the date changes from one event to the next."""

from __future__ import annotations

import json
import json.encoder
from collections.abc import Callable
from typing import Any, NamedTuple


def _encoder() -> Callable[[object], str]:
    """Return what `json.dumps` calls when it is given no options, made once.

    `json.dumps` makes a new encoder in C for every call, which takes as long as its work here.
    Ours has no memory of what it is inside of: threads must not share that.
    """
    made = json.JSONEncoder()
    in_c: Any = getattr(json.encoder, "c_make_encoder", None)
    if in_c is None:
        return made.encode
    pieces = in_c(
        None,
        made.default,
        json.encoder.encode_basestring_ascii,
        made.indent,
        made.key_separator,
        made.item_separator,
        made.sort_keys,
        made.skipkeys,
        made.allow_nan,
    )

    def encode(payload: object) -> str:
        try:
            return "".join(pieces(payload, 0))
        except RecursionError:
            return made.encode(payload)  # it may contain itself: this one tells, as `json.dumps`

    return encode


_encode = _encoder()

_KEYS = ["event_type", "event_details", "context"]


class ContextTemplate(NamedTuple):
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
