"""An event as the uploader sees it: a line, proved to be one JSON object, and what it says."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from telemetry_spool import __version__
from telemetry_spool.segment import Line, event_id

_PRODUCT = re.compile(r"[A-Za-z0-9._+-]{1,64}")
# Type and date label a receipt; what is longer is no label.
_LABEL = 100

_FALLBACK_AGENT = f"flwr-telemetry-spool/{__version__}"


@dataclass(frozen=True, slots=True)
class Event:
    """A whole event: its exact bytes, its id, and what receipts and headers take from it."""

    body: bytes
    id: str
    event_type: str
    date: str
    user_agent: str

    @property
    def headers(self) -> dict[str, str]:
        """The headers of its request: Flower's own, and the id as idempotency key."""
        return {
            "Content-Type": "application/json",
            "User-Agent": self.user_agent,
            "Idempotency-Key": self.id,
        }


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
        user_agent=_user_agent(context),
    )


def _label(value: object) -> str:
    return value[:_LABEL] if isinstance(value, str) else ""


def _user_agent(context: dict[str, Any]) -> str:
    """Return the User-Agent that Flower would have sent: `flwr/1.41.0`, from the event itself."""
    package = context.get("flower") or context.get("package")
    if isinstance(package, dict):
        name, version = package.get("package_name"), package.get("package_version")
        if all(isinstance(part, str) and _PRODUCT.fullmatch(part) for part in (name, version)):
            return f"{name}/{version}"
    return _FALLBACK_AGENT
