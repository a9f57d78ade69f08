"""Logging: one line a message, in words for a person or with priorities for the journal."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping

from telemetry_spool.text import plain

# What syslog calls these levels; the least severe one that a record reaches counts.
_PRIORITIES = (
    (logging.CRITICAL, 2),
    (logging.ERROR, 3),
    (logging.WARNING, 4),
    (logging.INFO, 6),
    (logging.DEBUG, 7),
)


def configure(*, verbose: bool, usual: int = logging.INFO) -> None:
    """Log to stderr what is at least as severe as `usual`; with `verbose`, everything."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_OneLine(journal=is_journal()))
    logging.basicConfig(level=logging.DEBUG if verbose else usual, handlers=[handler])
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    logging.getLogger("watchdog").setLevel(logging.ERROR)


def prefix(level: int) -> str:
    """Return what stands before a line of this level on stderr: nothing, but for the journal."""
    return _priority(level) if is_journal() else ""


def is_journal(environ: Mapping[str, str] = os.environ, descriptor: int = 2) -> bool:
    """Tell whether what is written to a descriptor goes to the journal, as systemd.exec(5) says.

    The variable alone means little: a child has it too, whatever its stderr is.
    """
    stream = environ.get("JOURNAL_STREAM")
    if not stream:
        return False
    try:
        status = os.fstat(descriptor)
    except OSError:
        return False
    return stream == f"{status.st_dev}:{status.st_ino}"


class _OneLine(logging.Formatter):
    """The journal has times and levels of its own, and takes every line for a message."""

    def __init__(self, *, journal: bool) -> None:
        super().__init__("%(message)s" if journal else "%(levelname)s %(message)s")
        self._journal = journal

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line; the lines of a traceback are joined."""
        lines = [line.strip() for line in super().format(record).splitlines()]
        text = plain(" | ".join(filter(None, lines)))
        return f"{_priority(record.levelno)}{text}" if self._journal else text


def _priority(level: int) -> str:
    return f"<{next((number for least, number in _PRIORITIES if level >= least), 7)}>"
