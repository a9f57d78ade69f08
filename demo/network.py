"""Take the network away from a process, as far as this machine permits."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from demo.stage import Stage

_OFFLINE = Path(__file__).with_name("offline.py")

# Commands that start another one without any network; the first that works is used: for root, for
# a user who stays themself in there, for a user who is root in there.
_WALLS = (
    ("unshare", "--net"),
    ("unshare", "--net", "--map-current-user", "--keep-caps"),
    ("unshare", "--net", "--map-root-user"),
)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where events are sent."""

    url: str
    host: str
    port: int


def endpoint(url: str) -> Endpoint | None:
    """Return the endpoint with this URL; None if it is not a URL with host and port."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    return Endpoint(url, host, port) if host and port else None


def find_wall(stage: Stage, target: Endpoint) -> Sequence[str]:
    """Return the command that takes the network away; an empty one where none is permitted."""
    if shutil.which("unshare"):
        for wall in _WALLS:
            if stage.attempt(offline(wall, target, ["true"])).returncode == 0:
                return wall
    return ()


def offline(wall: Sequence[str], target: Endpoint, arguments: Sequence[str]) -> list[str]:
    """Return a command that prints a proof that it cannot reach `target`, then runs another."""
    script = [sys.executable, "-P", str(_OFFLINE), *(["--no-network"] if wall else [])]
    return [*wall, *script, target.host, str(target.port), *arguments]
