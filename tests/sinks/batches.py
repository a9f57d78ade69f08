"""Batches of events as the uploader makes them, and events that are hard to carry."""

from __future__ import annotations

import gzip
import json
from typing import Any

import requests

from tests.sinks.loopback import direct
from tests.support.events import event
from tests.support.processes import DEADLINE_SECONDS

RUN = "PYTHON_API_RUN_SIMULATION_ENTER"

HARD_TO_CARRY = [
    event(RUN, details={"text": "\"quoted\" 'single' back\\slash, new\nline, tab\t, \x01, ü, 😀"}),
    event(RUN, details={"text": '"context": {"flower": {"package_version": "9.9.9"}}'}),
    event(RUN, details={"flower": {"package_version": "8.8.8"}}),
    json.dumps(
        {"event_type": RUN, "event_details": {"ü": "€😀\x7f\\N"}}, ensure_ascii=False
    ).encode(),
    b'{"event_type":"COMPACT","event_details":{"a":[1,2.50,{"b":null}],"c":1e3}}',
    b'{"event_type": "TAB\\u0009", "event_details": {"empty": "", "dup": 1}}',
    event(RUN, details={"long": "x" * 60_000}),
]
"""Lines with whatever may be lost or changed on the way into a column and out of it."""


def post(settings: dict[str, Any], lines: list[bytes]) -> requests.Response:
    """Send a batch with these settings, as the uploader does."""
    body = b"".join(line + b"\n" for line in lines)
    headers = {"Content-Type": "application/x-ndjson"}
    if encoding := settings.get("compression"):
        headers["Content-Encoding"] = encoding
        body = gzip.compress(body) if encoding == "gzip" else body
    if "authorization" in settings:
        headers["Authorization"] = settings["authorization"]
    with direct() as session:
        return session.post(
            settings["endpoint"], data=body, headers=headers, timeout=DEADLINE_SECONDS
        )
