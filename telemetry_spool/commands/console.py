"""What the subcommands share: how they complain, and their common options."""

from __future__ import annotations

import sys
from typing import Annotated, NoReturn

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]

SHORT_ID = 12
"""Characters of an event's id that are shown to people."""


def fail(message: str, code: int = 1) -> NoReturn:
    """Say what is wrong, in one line on stderr, and end with an exit code."""
    complain(message)
    sys.exit(code)


def complain(message: str) -> None:
    """Say something in one line on stderr."""
    sys.stderr.write(f"telemetry-spool: {message}\n")
