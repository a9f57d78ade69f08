"""The headers of a request: Flower's own, and the event's id as idempotency key."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from telemetry_spool import __version__
from telemetry_spool.events import Event

# What a User-Agent may be made of: an event is anybody's text, and a header is not.
_PRODUCT = re.compile(r"[A-Za-z0-9._+-]{1,64}")
_FALLBACK_AGENT = f"flwr-telemetry-spool/{__version__}"


def headers(event: Event) -> dict[str, str]:
    """Return the headers for sending an event."""
    return {
        "Content-Type": "application/json",
        "User-Agent": _user_agent(event.context),
        "Idempotency-Key": event.id,
    }


def on_the_wire(body: bytes, given: Mapping[str, str]) -> dict[str, str]:
    """Return all headers of a request but `Host`, which names the endpoint."""
    return {"Accept-Encoding": "identity", "Content-Length": str(len(body)), **given}


def _user_agent(context: dict[str, Any]) -> str:
    """Return the User-Agent that Flower would have sent: `flwr/1.41.0`, from the event itself."""
    package = context.get("flower") or context.get("package")
    if isinstance(package, dict):
        name, version = package.get("package_name"), package.get("package_version")
        if all(isinstance(part, str) and _PRODUCT.fullmatch(part) for part in (name, version)):
            return f"{name}/{version}"
    return _FALLBACK_AGENT
