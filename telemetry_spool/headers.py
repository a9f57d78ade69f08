"""The headers of a request: Flower's own, and the event's id as idempotency key."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from telemetry_spool import __version__
from telemetry_spool.events import Event

# What a User-Agent may be made of: an event is anybody's text, and a header is not.
_PRODUCT = re.compile(r"[A-Za-z0-9._+-]{1,64}")
KEY = "Idempotency-Key"
OWN_AGENT = f"flwr-telemetry-spool/{__version__}"
"""The User-Agent of requests that are not one event of a package that says its name."""


def headers(event: Event) -> dict[str, str]:
    """Return the headers for sending an event by itself."""
    return with_key(package_headers(agent_of(event.context)), event.id)


def package_headers(user_agent: str) -> dict[str, str]:
    """Return the headers that all events of a package have."""
    return {"Content-Type": "application/json", "User-Agent": user_agent}


def with_key(given: Mapping[str, str], key: str) -> dict[str, str]:
    """Return headers with the idempotency key of one request: an event's id, or a batch's hash."""
    return {**given, KEY: key}


def on_the_wire(body: bytes, given: Mapping[str, str]) -> dict[str, str]:
    """Return all headers of a request but `Host`, which names the endpoint."""
    return {"Accept-Encoding": "identity", "Content-Length": str(len(body)), **given}


def agent_of(context: dict[str, Any]) -> str:
    """Return the User-Agent that Flower would have sent: `flwr/1.41.0`, from the event itself."""
    package = context.get("flower") or context.get("package")
    if isinstance(package, dict):
        name, version = package.get("package_name"), package.get("package_version")
        if isinstance(name, str) and isinstance(version, str):
            return agent(name, version)
    return OWN_AGENT


@lru_cache(maxsize=64)
def agent(name: str, version: str) -> str:
    """Return the User-Agent of a package; our own for what cannot be in a header."""
    if _PRODUCT.fullmatch(name) and _PRODUCT.fullmatch(version):
        return f"{name}/{version}"
    return OWN_AGENT
