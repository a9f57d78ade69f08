"""The doorbell: say "look again" when something in the spool directory changes."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from watchdog.events import (
    FileCreatedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer

from telemetry_spool import paths
from uploader.filesystem import silent_type

if TYPE_CHECKING:
    from watchdog.observers.api import BaseObserver

_KINDS: list[type[FileSystemEvent]] = [FileCreatedEvent, FileModifiedEvent, FileMovedEvent]

# What pairs the reports of a rename in watchdog 7, and before.
_PAIRING = (
    ("inotify_move_event_grouper", "InotifyMoveEventGrouper"),
    ("inotify_buffer", "InotifyBuffer"),
)

Ring = Callable[[str], None]
"""Is told the name of what has changed; an empty one if that may be anything."""


class _Doorbell(FileSystemEventHandler):
    """Rings for whatever is not the uploader's own writing, progress for one.

    For unknown files, too: where the kernel had to drop reports of segments because too many
    waited to be read, those that it kept may be of anything.
    """

    def __init__(self, ring: Ring) -> None:
        self._ring = ring

    def on_any_event(self, event: FileSystemEvent) -> None:
        path = event.dest_path or event.src_path
        name = (path.decode() if isinstance(path, bytes) else path).rpartition("/")[2]
        if not _is_own(name):
            self._ring(name)


def _is_own(name: str) -> bool:
    return paths.is_temporary(name) or paths.acked_segment(name) is not None


class Watch:
    """Rings whenever a file in a directory is created, appended to or renamed.

    Where the file system reports no changes, or not all, it rings by the clock. A ring has the
    spool listed, if there is nothing else to do: with nothing in it that is 7 µs; watchdog's
    PollingObserver takes twice that, and with 10,000 segments 18 MiB and 0.1 s each time, while
    the endpoint is down, too.
    """

    def __init__(self, directory: Path, poll_interval: float, ring: Ring) -> None:
        """Watch `directory`; `ring` is called in this thread and in others."""
        self._ring = ring
        self._observer: BaseObserver | None = None
        self._interval = math.inf
        self._next_poll = math.inf
        self.notice = ""
        """Why it rings by the clock; empty if it does not."""
        failure = self._observe(directory)
        kind = silent_type(directory)
        if failure:
            reason = f"{directory} cannot be watched ({failure})"
        elif kind is not None:
            reason = f"{directory} is on {kind}, which does not report what others do there"
        else:
            return
        self.notice = f"{reason}: looking there every {poll_interval:g} s"
        self._interval = poll_interval
        self._next_poll = time.monotonic() + poll_interval

    def _observe(self, directory: Path) -> str:
        """Have changes reported; return why that cannot be, empty if it can."""
        _wait_for_no_pairs()
        try:
            self._observer = Observer()
            self._observer.schedule(_Doorbell(self._ring), str(directory), event_filter=_KINDS)
            self._observer.start()
        except (OSError, RuntimeError) as error:  # no more watches, or no more threads
            self.close()
            self._observer = None
            return getattr(error, "strerror", None) or str(error)
        return ""

    def poll(self) -> float:
        """Ring if that is due by the clock; return the seconds until it is again."""
        now = time.monotonic()
        if now >= self._next_poll:
            self._ring("")
            self._next_poll = now + self._interval
        return self._next_poll - now

    def close(self) -> None:
        """Watch no longer."""
        if self._observer is not None:
            self._observer.stop()


def _wait_for_no_pairs() -> None:
    """Have watchdog not hold everything back for half a second after a rename.

    It waits for the other half of the report, and goes on to when that has come: each seal of ours
    could delay the next events. Here the halves do not matter: the new name rings by itself.
    """
    if sys.platform != "linux":
        return
    for module, kind in _PAIRING:
        with suppress(ImportError, AttributeError):
            getattr(import_module(f"watchdog.observers.{module}"), kind).delay = 0.0
