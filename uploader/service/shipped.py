"""The unit files and property lists of this project, as they are shipped."""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

MARK = "Part of flwr-telemetry-spool"
"""What the first lines of every file that we install say, so that we know it again."""

PROGRAM = "/usr/bin/telemetry-uploader"
"""The program in shipped files: where a distribution would put it."""


def shipped(*names: str) -> str:
    """Return the text of a shipped file, `shipped("systemd", "user", NAME)` for one."""
    return _directory(names[0]).joinpath(*names[1:]).read_text(encoding="utf-8")


def _directory(name: str) -> Traversable:
    packaged = files(__package__) / name
    # An editable install has the repository's own.
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / name
