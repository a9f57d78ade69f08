"""A writer's settings: where it spools, and how much."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from telemetry_spool import paths, policy
from telemetry_spool.dropbox import default_spool
from telemetry_spool.settings import (
    Setting,
    SettingError,
    Source,
    absolute_path,
    boolean,
    environment,
    file,
    resolve_one,
    size,
)

MIB = 2**20

LARGEST_EVENT_BYTES = MIB
"""What readers are prepared for: writers of one spool may each have their own `max_event_bytes`."""

DIR = Setting(
    "dir",
    None,
    absolute_path,
    "an absolute path",
    "directory with spool, receipts, dead letters and status",
    "the platform's state directory of this user",
)
SPOOL_DIR = Setting(
    "spool_dir",
    None,
    absolute_path,
    "an absolute path",
    "directory of the spool, if it is not to be in `dir`",
    "the drop box of this machine's service, where there is one and `dir` is not set; else the "
    "spool lies in `dir` with the rest",
)
MAX_EVENT_BYTES = Setting(
    "max_event_bytes",
    64 * 2**10,
    size(1024, LARGEST_EVENT_BYTES),
    "a size from 1KiB to 1MiB",
    "longest event that is recorded",
    "a Flower event has less than 1 KiB: 64 KiB leaves room and keeps a runaway detail out",
)
MAX_SEGMENT_BYTES = Setting(
    "max_segment_bytes",
    MIB,
    size(4096, 1024 * MIB),
    "a size from 4KiB to 1GiB",
    "size at which a writer seals the active segment",
    "1 MiB is some 1,300 events: few files, and a lost segment is a small loss",
)
MAX_SPOOL_BYTES = Setting(
    "max_spool_bytes",
    64 * MIB,
    size(8192, 1024 * 1024 * MIB),
    "a size from 8KiB to 1TiB",
    "size of the spool at which the oldest events give way",
    "64 MiB is some 90,000 events: months offline, and no home quota notices it",
)
FSYNC = Setting(
    "fsync",
    False,
    boolean,
    "true or false",
    "force each event to the disk before event() returns",
    "without it an event survives kill -9 but not a power cut in the next seconds; with it each "
    "event waits for the disk",
)

WRITER_SETTINGS = (DIR, SPOOL_DIR, MAX_EVENT_BYTES, MAX_SEGMENT_BYTES, MAX_SPOOL_BYTES, FSYNC)


class WriterConfig(NamedTuple):
    """Where a writer spools and how much, and what was wrong with its settings.

    `policy` is what the site demands, `chosen` what everybody else says, in the order of rank.
    """

    directories: paths.Directories
    mode_file: Path | None
    max_event_bytes: int
    max_segment_bytes: int
    max_spool_bytes: int
    fsync: bool
    problems: tuple[str, ...]
    policy: Source = policy.ABSENT
    chosen: tuple[Source, ...] = ()

    def under(self, demanded: Source) -> WriterConfig:
        """Return these settings with another site policy in force."""
        return _config(demanded, self.chosen, [])


def writer_config(environ: Mapping[str, str] = os.environ) -> WriterConfig:
    """Resolve a writer's settings. A bad one falls back to its default and becomes a problem.

    A writer runs inside somebody's training: it goes on with what it has, and the commands refuse
    what it had to pass over. Without a home directory and without `dir` there is no place to write:
    the root is then a path that cannot exist, and every event becomes a loss with that reason.
    """
    problems: list[str] = []
    demanded = policy.ABSENT
    try:
        found = policy.read()
        policy.check(found, WRITER_SETTINGS)
        demanded = found
    except SettingError as error:
        problems.append(str(error))
    chosen = [environment(WRITER_SETTINGS, environ)]
    for path in paths.config_files():
        try:
            chosen.append(file(path))
        except SettingError as error:
            problems.append(str(error))
    return _config(demanded, tuple(chosen), problems)


def _config(demanded: Source, chosen: tuple[Source, ...], problems: list[str]) -> WriterConfig:
    sources = (demanded, *chosen)

    def value(setting: Setting) -> Any:
        try:
            return resolve_one(setting, sources).value
        except SettingError as error:
            problems.append(str(error))
            return setting.default

    chosen_root = value(DIR)
    root = chosen_root or paths.default_root()
    if root is None:
        problems.append("no home directory: set FLWR_TELEMETRY_DIR")
        root = paths.NOWHERE
    return WriterConfig(
        directories=paths.Directories(
            root, value(SPOOL_DIR) or default_spool(root, chosen=chosen_root is not None)
        ),
        mode_file=paths.mode_file(),
        max_event_bytes=value(MAX_EVENT_BYTES),
        max_segment_bytes=value(MAX_SEGMENT_BYTES),
        max_spool_bytes=value(MAX_SPOOL_BYTES),
        fsync=value(FSYNC),
        problems=tuple(problems),
        policy=demanded,
        chosen=chosen,
    )
