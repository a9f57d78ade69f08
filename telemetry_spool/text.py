"""Text for people."""

from __future__ import annotations

import os
import sys
from io import TextIOWrapper

# The second is Python's choice in the locale C: it writes what is no character, but not every one.
_REFUSING = ("strict", "surrogateescape")


def plain(text: str) -> str:
    """Replace what could steer a terminal or begin a new line."""
    return "".join(
        character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text
    )


def print_any_character() -> None:
    """Let stdout escape what its encoding does not have, instead of ending in a traceback.

    Event types and the names of directories have characters that a locale may not know. Where
    stdout or stderr is closed (`>&-`), nobody is told anything, and no file gets its number.
    """
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "r" if name == "stdin" else "w"))  # noqa: SIM115
    if isinstance(sys.stdout, TextIOWrapper) and sys.stdout.errors in _REFUSING:
        sys.stdout.reconfigure(errors="backslashreplace")


def counted(count: int) -> str:
    """Return a number of events as a person writes it: `1 event`, `1,300 events`."""
    return f"{count:,} event{'' if count == 1 else 's'}"
