"""Emit an event for each line on stdin, and say on stdout when `event()` has returned.

Usage: on_request.py MODULE
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any


def main(module: str) -> None:
    """Emit the events."""
    telemetry: Any = import_module(module)
    kinds = getattr(telemetry, "EventType", None)
    for _ in sys.stdin:
        telemetry.event(kinds.PING if kinds else "PING")
        sys.stdout.write("returned\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1])
