"""Settings: one name in the file, in the environment and as a flag; one way to resolve them.

Precedence: site policy > flag > environment > user file > site file > default. Both packages
declare their own settings; the files are shared, so each side passes by what only the other one
knows.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

ENVIRONMENT = "environment"
FLAGS = "flag"


class SettingError(ValueError):
    """A setting or a settings file is wrong; the message is one line and names place and remedy."""


class Setting(NamedTuple):
    """One setting.

    `convert` takes a TOML value or the text of a variable or flag and returns the value, or raises
    ValueError. `allowed` completes "must be …", `summary` says what it does, `why` justifies the
    default. The value of a `secret` one may have a password in it, and is in no message.
    """

    name: str
    default: Any
    convert: Callable[[object], Any]
    allowed: str
    summary: str
    why: str
    secret: bool = False

    @property
    def variable(self) -> str:
        """The environment variable of this setting."""
        return f"FLWR_TELEMETRY_{self.name.upper()}"

    @property
    def flag(self) -> str:
        """The command line flag of this setting."""
        return f"--{self.name.replace('_', '-')}"


class Source(NamedTuple):
    """A place that settings come from: its name for people, and what it says by setting name."""

    label: str
    values: Mapping[str, object]


class Resolved(NamedTuple):
    """A setting's value and the place it came from."""

    value: Any
    origin: str


def whole_number(low: int, high: int) -> Callable[[object], int]:
    """Accept whole numbers from `low` to `high`."""

    def convert(raw: object) -> int:
        if isinstance(raw, bool) or not isinstance(raw, (int, str)):
            raise ValueError(raw)
        value = int(raw)
        if not low <= value <= high:
            raise ValueError(raw)
        return value

    return convert


def number(low: float, high: float) -> Callable[[object], float]:
    """Accept a number from `low` to `high`."""

    def convert(raw: object) -> float:
        if isinstance(raw, bool) or not isinstance(raw, (int, float, str)):
            raise ValueError(raw)
        value = float(raw)
        if not low <= value <= high:
            raise ValueError(raw)
        return value

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


def absolute_path(raw: object) -> Path:
    """Accept an absolute path; `~` stands for the home directory."""
    if not isinstance(raw, (str, Path)):
        raise ValueError(raw)
    path = Path(os.path.expanduser(raw))
    if not path.is_absolute() or "\0" in str(path):
        raise ValueError(raw)
    return path


def one_of(*words: str) -> Callable[[object], str]:
    """Accept one of these words."""

    def convert(raw: object) -> str:
        if not isinstance(raw, str) or raw not in words:
            raise ValueError(raw)
        return raw

    return convert


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
    return parse_toml(content, str(path))


def parse_toml(content: bytes, label: str) -> Source:
    """Read the bytes of a TOML file. Raises SettingError if they are not TOML."""
    # Most Flower processes have no file to read, and compiling its patterns takes milliseconds.
    from tomllib import loads

    try:
        return Source(label, loads(content.decode("utf-8")))
    except (ValueError, RecursionError) as error:
        raise SettingError(f"{label}: not valid TOML: {error}") from error


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
            what = shown if setting.secret else f"{shown} = {raw!r}"
            raise SettingError(f"{what}: must be {setting.allowed}") from None
    return Resolved(setting.default, "default")


def unknown_keys(source: Source, settings: Iterable[Setting]) -> list[str]:
    """Return what a file says that is no setting."""
    known = {setting.name for setting in settings}
    return [name for name in source.values if name not in known]
