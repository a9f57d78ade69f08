"""What `export` and `import` share: how they complain, and how they print."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from telemetry_spool.bundle.answers import BadReceipts
from telemetry_spool.bundle.files import CarryError
from telemetry_spool.bundle.manifest import BadBundle
from telemetry_spool.commands.console import fail, say
from telemetry_spool.text import plain

DryRun = Annotated[bool, typer.Option("--dry-run", help="Change nothing; say what would be done.")]


@contextmanager
def complaining(file: Path | None = None) -> Iterator[None]:
    """Say what a person can mend in one line; `file` is what it is about if that is imported."""
    try:
        yield
    except (BadBundle, BadReceipts) as error:
        fail(f"{plain(str(file))}: nothing was imported: {error}", error.code)
    except CarryError as error:
        fail(plain(str(error)), error.code)


def tell(as_json: bool, content: dict[str, Any], *lines: str | int) -> None:
    """Print an object, or the lines that are not empty."""
    if as_json:
        say(json.dumps(content))
    else:
        for line in filter(None, lines):
            say(str(line))
