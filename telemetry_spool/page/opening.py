"""Open the page in a browser, or say how to get at it."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

_SNAP_BROWSERS = ("firefox", "chromium")


def why_not(environ: Mapping[str, str] = os.environ, platform: str = sys.platform) -> str:
    """Return why no browser can be opened where its user would see it; empty if one can.

    Without a display, what opens is a browser in text mode, or nothing.
    """
    if environ.get("SSH_CONNECTION") or environ.get("SSH_TTY"):
        return "this is a session over ssh"
    if platform != "darwin" and not (environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY")):
        return "there is no display"
    return ""


def open_in_browser(path: Path) -> bool:
    """Open a file in the user's browser; False if there is none."""
    import webbrowser

    return webbrowser.open(path.as_uri())


def how_to_copy(path: Path) -> str:
    """Return what to type on the machine with the browser."""
    host = os.uname().nodename
    return f"To copy it, type where your browser is: scp {host}:{_quoted(path)} ."


def confined(snaps: Path = Path("/snap/bin")) -> str:
    """Return what to do where a browser may not read hidden directories; empty where it may."""
    if any((snaps / name).exists() for name in _SNAP_BROWSERS):
        return (
            "A browser from a snap may not read it there: "
            "telemetry-spool view --output ~/telemetry.html"
        )
    return ""


def _quoted(path: Path) -> str:
    import shlex

    return shlex.quote(str(path))
