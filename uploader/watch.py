"""The doorbell: say "look again" when something in the spool directory changes."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from watchdog.events import (
    FileCreatedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver

from telemetry_spool.paths import kind_of

_log = logging.getLogger(__name__)


class _Doorbell(FileSystemEventHandler):
    """Rings for segments only: progress files and the lock are the uploader's own writing."""

    def __init__(self, ring: Callable[[], None]) -> None:
        self._ring = ring

    def on_any_event(self, event: FileSystemEvent) -> None:
        path = event.dest_path or event.src_path
        name = path.decode() if isinstance(path, bytes) else path
        if kind_of(name.rpartition("/")[2]) is not None:
            self._ring()


def watch(directory: Path, ring: Callable[[], None]) -> BaseObserver | None:
    """Ring whenever a segment in `directory` is created, appended to or renamed.

    Returns the running observer; None where the file system cannot be watched: the rescan finds
    new events then, at its interval. `ring` is called in a thread of the observer's.
    """
    observer = Observer()
    kinds: list[type[FileSystemEvent]] = [FileCreatedEvent, FileModifiedEvent, FileMovedEvent]
    try:
        observer.schedule(_Doorbell(ring), str(directory), event_filter=kinds)
        observer.start()
    except OSError as error:
        _log.warning("%s cannot be watched, it is looked at now and then: %s", directory, error)
        return None
    return observer
