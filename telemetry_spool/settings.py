"""Settings: one name in the file, in the environment and as a flag; one way to resolve them.

Precedence: flag > environment > user file > site file > default. Both packages declare their own
settings; the files are shared, so each side passes by what only the other one knows.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from telemetry_spool import paths

ENVIRONMENT = "environment"
FLAGS = "flag"


class SettingError(ValueError):
    """A setting or a settings file is wrong; the message is one line and names place and remedy."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting.

    `convert` takes a TOML value or the text of a variable or flag and returns the value, or raises
    ValueError. `allowed` completes "must be …", `summary` says what it does, `why` justifies the
    default.
    """

    name: str
    default: Any
    convert: Callable[[object], Any]
    allowed: str
    summary: str
    why: str

    @property
    def variable(self) -> str:
        """The environment variable of this setting."""
        return f"FLWR_TELEMETRY_{self.name.upper()}"

    @property
    def flag(self) -> str:
        """The command line flag of this setting."""
        return f"--{self.name.replace('_', '-')}"


@dataclass(frozen=True, slots=True)
class Source:
    """A place that settings come from: its name for people, and what it says by setting name."""

    label: str
    values: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Resolved:
    """A setting's value and the place it came from."""

    value: Any
    origin: str


def whole_number(low: int, high: int) -> Callable[[object], int]:
    """Accept whole numbers from `low` to `high`."""

    def convert(raw: object) -> int:
        if isinstance(raw, bool) or not isinstance(raw, (int, str)):
            raise ValueError(raw)
        number = int(raw)
        if not low <= number <= high:
            raise ValueError(raw)
        return number

    return convert


def seconds(low: float, high: float) -> Callable[[object], float]:
    """Accept a time in seconds from `low` to `high`."""

    def convert(raw: object) -> float:
        if isinstance(raw, bool) or not isinstance(raw, (int, float, str)):
            raise ValueError(raw)
        number = float(raw)
        if not low <= number <= high:
            raise ValueError(raw)
        return number

    return convert


_UNITS = {"kib": 2**10, "mib": 2**20, "gib": 2**30}


def size(low: int, high: int) -> Callable[[object], int]:
    """Accept bytes as a whole number, or as text with KiB, MiB or GiB behind it."""

    def convert(raw: object) -> int:
        if isinstance(raw, str):
            text = raw.strip().lower()
            unit = _UNITS.get(text[-3:])
            raw = int(text[:-3]) * unit if unit else text
        return whole_number(low, high)(raw)

    return convert


_BOOLEANS = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


def boolean(raw: object) -> bool:
    """Accept a TOML boolean, or 1, true, yes, 0, false, no as text."""
    if isinstance(raw, bool):
        return raw
    if isinstance(raw, str) and raw.strip().lower() in _BOOLEANS:
        return _BOOLEANS[raw.strip().lower()]
    raise ValueError(raw)


def directory(raw: object) -> Path:
    """Accept an absolute path; `~` stands for the home directory."""
    if not isinstance(raw, (str, Path)):
        raise ValueError(raw)
    path = Path(os.path.expanduser(raw))
    if not path.is_absolute() or "\0" in str(path):
        raise ValueError(raw)
    return path


def environment(settings: Iterable[Setting], environ: Mapping[str, str] = os.environ) -> Source:
    """Return what the environment says; a variable set to nothing counts as unset."""
    found = {
        setting.name: environ[setting.variable]
        for setting in settings
        if environ.get(setting.variable)
    }
    return Source(ENVIRONMENT, found)


def file(path: Path) -> Source:
    """Read a TOML file; an absent one says nothing.

    Raises SettingError if it cannot be read or is not TOML.
    """
    try:
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return Source(str(path), {})
    except OSError as error:
        raise SettingError(f"{path}: cannot be read: {error.strerror}") from error
    try:
        return Source(str(path), tomllib.loads(content.decode("utf-8")))
    except (ValueError, RecursionError) as error:
        raise SettingError(f"{path}: not valid TOML: {error}") from error


def resolve_one(setting: Setting, sources: Sequence[Source]) -> Resolved:
    """Take a setting from the first source that has it. Raises SettingError for a bad value."""
    for source in sources:
        if setting.name not in source.values:
            continue
        raw = source.values[setting.name]
        try:
            return Resolved(setting.convert(raw), source.label)
        except ValueError:
            shown = {ENVIRONMENT: setting.variable, FLAGS: setting.flag}.get(
                source.label, f"{source.label}: {setting.name}"
            )
            raise SettingError(f"{shown} = {raw!r}: must be {setting.allowed}") from None
    return Resolved(setting.default, "default")


def unknown_keys(source: Source, settings: Iterable[Setting]) -> list[str]:
    """Return what a file says that is no setting."""
    known = {setting.name for setting in settings}
    return [name for name in source.values if name not in known]


MIB = 2**20

LARGEST_EVENT_BYTES = MIB
"""What readers are prepared for: writers of one spool may each have their own `max_event_bytes`."""

DIR = Setting(
    "dir",
    None,
    directory,
    "an absolute path",
    "directory with spool, receipts, dead letters and status",
    "the platform's state directory of this user",
)
SPOOL_DIR = Setting(
    "spool_dir",
    None,
    directory,
    "an absolute path",
    "directory of the spool, if it is not to be in `dir`",
    "the spool lies in `dir` with the rest",
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


@dataclass(frozen=True, slots=True)
class WriterConfig:
    """Where a writer spools and how much, and what was wrong with its settings."""

    directories: paths.Directories
    mode_file: Path | None
    max_event_bytes: int
    max_segment_bytes: int
    max_spool_bytes: int
    fsync: bool
    problems: tuple[str, ...]


def writer_config(environ: Mapping[str, str] = os.environ) -> WriterConfig:
    """Resolve a writer's settings. A bad one falls back to its default and becomes a problem.

    A writer runs inside somebody's training: it goes on with what it has, and the commands refuse
    what it had to pass over. Without a home directory and without `dir` there is no place to write:
    the root is then a path that cannot exist, and every event becomes a loss with that reason.
    """
    problems: list[str] = []
    sources = [environment(WRITER_SETTINGS, environ)]
    for path in paths.config_files():
        try:
            sources.append(file(path))
        except SettingError as error:
            problems.append(str(error))

    def value(setting: Setting) -> Any:
        try:
            return resolve_one(setting, sources).value
        except SettingError as error:
            problems.append(str(error))
            return setting.default

    root = value(DIR) or paths.default_root()
    if root is None:
        problems.append("no home directory: set FLWR_TELEMETRY_DIR")
        root = paths.NOWHERE
    return WriterConfig(
        directories=paths.Directories(root, value(SPOOL_DIR) or root / "spool"),
        mode_file=paths.mode_file(),
        max_event_bytes=value(MAX_EVENT_BYTES),
        max_segment_bytes=value(MAX_SEGMENT_BYTES),
        max_spool_bytes=value(MAX_SPOOL_BYTES),
        fsync=value(FSYNC),
        problems=tuple(problems),
    )
