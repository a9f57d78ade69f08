"""The random ids in an event: source (one a machine and user), cluster, partner."""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

NO_SOURCES = ("unavailable", "invalid")
"""What stands for a source id that cannot be had, or is none."""


def flower_home(environ: Mapping[str, str] = os.environ) -> Path:
    """Return Flower's home directory. Raises RuntimeError if it cannot be determined."""
    chosen = environ.get("FLWR_HOME")
    return Path(chosen) if chosen else Path.home() / ".flwr"


def source_file(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the file of the source id. Raises RuntimeError if there is no home directory."""
    return flower_home(environ) / "source"


def source_id(environ: Mapping[str, str] = os.environ, *, create: bool) -> str:
    """Return the source id from `source` in Flower's home; `create` makes one where none is.

    As in Flower, "unavailable" if it can be neither read nor made, "invalid" if it is no UUID.
    """
    try:
        file = source_file(environ)
        if create and not file.exists():
            _create(file)
        return _checked(file.read_text(encoding="utf-8").strip())
    except (OSError, RuntimeError, UnicodeDecodeError):
        return "unavailable"


def _create(file: Path) -> None:
    """Create the file with its content at once: a process beside this one must not read half."""
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_name(f"source.{os.getpid()}.{os.urandom(4).hex()}.tmp")
    try:
        temporary.write_text(str(uuid.uuid4()), encoding="utf-8")
        with suppress(FileExistsError):
            os.link(temporary, file)
    finally:
        temporary.unlink(missing_ok=True)


def partner_id(environ: Mapping[str, str] = os.environ) -> str:
    """Return `FLWR_TELEMETRY_PARTNER_ID`, "unavailable" if unset, "invalid" if it is no UUID."""
    partner = environ.get("FLWR_TELEMETRY_PARTNER_ID")
    return _checked(partner) if partner else "unavailable"


def _checked(text: str) -> str:
    try:
        uuid.UUID(text)
    except ValueError:
        return "invalid"
    return text
