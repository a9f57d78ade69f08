"""Tell whether there is something new to show, without reading all of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from telemetry_spool import paths
from telemetry_spool.writer_settings import WriterConfig

Look = frozenset[tuple[str, int, int]]


def look(config: WriterConfig) -> Look:
    """Return what changes when anything that the page shows does: names, sizes and times."""
    return frozenset(_files(config))


def _files(config: WriterConfig) -> Iterator[tuple[str, int, int]]:
    directories = config.directories
    for directory in (directories.spool, directories.receipts, directories.rejected):
        with suppress(OSError), os.scandir(directory) as entries:
            for entry in entries:
                yield from _stamp(entry.path)
    for file in (directories.heard_of, config.mode_file, paths.POLICY_FILE):
        if file is not None:
            yield from _stamp(file)


def _stamp(path: str | Path) -> Iterator[tuple[str, int, int]]:
    with suppress(OSError):
        status = os.stat(path, follow_symlinks=False)
        yield (str(path), status.st_size, status.st_mtime_ns)
