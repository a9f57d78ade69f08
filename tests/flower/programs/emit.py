"""Emit events as Flower's own code does, and end.

Usage: emit.py MODULE COUNT [URL]

MODULE is Flower's telemetry module. With a URL, Flower's transport is pointed there, and each
event is waited for.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Any

# Events with details and without, the first and later ones; numbers, text and nesting that a
# serialiser can get wrong.
DETAILS: tuple[dict[str, Any] | None, ...] = (
    None,
    {"text": 'ü "quoted" \\ \u2028', "nested": {"list": [1, 2.5, None, True, 1e300], "empty": {}}},
    None,
)

# What every program of Flower has loaded when its first event comes, and telemetry alone loads
# then. It imports urllib3, which opens a socket on ::1 to see whether there is IPv6.
LOADED_BEFORE = {"flwr.supercore.telemetry": "flwr.supercore.utils"}


def main(module: str, count: str, url: str | None = None) -> None:
    """Emit the events."""
    import_module(LOADED_BEFORE.get(module, module))
    telemetry: Any = import_module(module)
    if url is not None:
        telemetry.TELEMETRY_EVENTS_URL = url
    for details in DETAILS[: int(count)]:
        os.access("/flower-event-begins", os.F_OK)  # a mark that a trace of system calls shows
        future = telemetry.event(telemetry.EventType.PING, details)
        os.access("/flower-event-ends", os.F_OK)
        if url is not None:
            future.result(timeout=30)


if __name__ == "__main__":
    main(*sys.argv[1:])
