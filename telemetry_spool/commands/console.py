"""What the subcommands share: how they speak, ask and complain, and their common options."""

from __future__ import annotations

import errno
import os
import shutil
import sys
from typing import Annotated, NoReturn

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
JsonLines = Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]

SHORT_ID = 12
"""Characters of an event's id that are shown to people."""

_USUAL_COLUMNS = 80

_EXIT_CODES = {
    errno.EACCES: os.EX_NOPERM,
    errno.EPERM: os.EX_NOPERM,
    errno.ENOSPC: os.EX_CANTCREAT,
    errno.EDQUOT: os.EX_CANTCREAT,
    errno.EROFS: os.EX_CANTCREAT,
}


def say(text: str) -> None:
    """Write one line to stdout; not flushed, so that a million of them are quick."""
    sys.stdout.write(f"{text}\n")


def columns() -> int:
    """Return the width of the terminal on stdout; 80 where there is none."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else _USUAL_COLUMNS


def prints(text: str) -> bool:
    """Tell whether stdout's encoding has these characters."""
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True


def confirm(question: str, *, yes: bool) -> None:
    """Ask on a terminal; elsewhere `yes` must have been given. Ends the command at a no."""
    if yes:
        return
    sys.stdout.flush()
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        fail(f"{question} Nobody is here to be asked: say --yes", os.EX_USAGE)
    if not typer.confirm(question, err=True):
        fail("nothing was done")


def fail(message: str, code: int = 1) -> NoReturn:
    """Say what is wrong, in one line on stderr, and end with an exit code."""
    complain(message)
    sys.exit(code)


def fail_for(error: OSError) -> NoReturn:
    """Say in one line what the system refused, and end with the exit code for that.

    77 not permitted, 73 no room or read-only, 1 anything else.
    """
    message = f"{error.filename or ''}: {error.strerror or error}".lstrip(": ")
    fail(message, _EXIT_CODES.get(error.errno or 0, 1))


def complain(message: str) -> None:
    """Say something in one line on stderr."""
    sys.stdout.flush()
    sys.stderr.write(f"telemetry-spool: {message}\n")
