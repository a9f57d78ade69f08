"""Show on a terminal that a long reading goes on."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from telemetry_spool.text import counted

_PAUSE_SECONDS = 1.0
_EVERY = 500

Item = TypeVar("Item")


class Progress:
    """Says on a terminal how many events were read so far, once a second; elsewhere nothing.

    One line on stderr that is written over and taken away again: what is said besides has its own.
    """

    def __init__(self) -> None:
        """Begin now; for the first second nothing is said."""
        self._shown = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._due = time.monotonic() + _PAUSE_SECONDS
        self._count = 0
        self._text = ""

    def watch(self, items: Iterable[Item]) -> Iterator[Item]:
        """Yield the items, counting each."""
        try:
            for item in items:
                self.step()
                yield item
        finally:
            self.clear()

    def counting(self, tells: Callable[[Item], bool]) -> Callable[[Item], bool]:
        """Return what tells the same of an item, and counts it."""

        def tell(item: Item) -> bool:
            self.step()
            return tells(item)

        return tell

    def step(self) -> None:
        """Count one."""
        self._count += 1
        if self._shown and self._count % _EVERY == 0 and time.monotonic() >= self._due:
            self._due = time.monotonic() + _PAUSE_SECONDS
            self._text = f"{counted(self._count)} read ..."
            self._write(f"{self._text}\r")

    def clear(self) -> None:
        """Take the line away."""
        if self._text:
            self._write(f"{' ' * len(self._text)}\r")
            self._text = ""

    def _write(self, text: str) -> None:
        sys.stderr.write(text)
        sys.stderr.flush()
