"""What an uploader says of itself, seen from outside."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def heartbeat(root: Path) -> dict[str, Any]:
    """Return what the uploader of this root said last; nothing if it has not said anything."""
    try:
        content: dict[str, Any] = json.loads((root / "status.json").read_bytes())
    except FileNotFoundError:
        return {}
    return content
