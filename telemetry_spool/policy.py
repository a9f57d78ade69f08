"""The site policy: the administrator's file, which wins over every other place that settings have.

Its path is fixed, so that no variable of a user's moves it. It is read by every user's processes,
so it is no place for passwords.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable

from telemetry_spool import paths
from telemetry_spool.settings import (
    Setting,
    SettingError,
    Source,
    one_of,
    parse_toml,
    resolve_one,
    unknown_keys,
)

MODE = Setting(
    "mode",
    "on",
    one_of("on", "local", "off"),
    "on, local or off",
    "the most that anybody on this machine may choose",
    "without a word from the administrator the choice is the user's",
)

UPLOADER_NAMES = frozenset(
    {
        "endpoint",
        "sink",
        "compression",
        "batch_events",
        "batch_bytes",
        "batch_seconds",
        "authorization",
        "transport",
        "max_events_per_second",
        "proxy",
        "ca_bundle",
        "concurrency",
        "connect_timeout",
        "read_timeout",
        "rescan_interval",
        "poll_interval",
        "allow_insecure",
        "keep_sent",
        "strict",
    }
)
"""What a policy may say that a writer, which does not load the uploader, cannot judge."""

# A policy is a few lines; what is longer is not one.
_MAX_BYTES = 64 * 2**10

ABSENT = Source(f"site policy {paths.POLICY_FILE}", {})
"""What a site without a policy says."""

Stamp = tuple[int, ...] | None


def label() -> str:
    """Return the policy's name for people."""
    return f"site policy {paths.POLICY_FILE}"


def stamp(path: str) -> Stamp:
    """Return what changes whenever a policy file does, for some 2 µs; None if there is none.

    Raises OSError if it cannot be told.
    """
    try:
        status = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return (status.st_ctime_ns, status.st_ino, status.st_size)


def read() -> Source:
    """Read the policy; an absent one says nothing.

    Raises SettingError if it cannot be read, may have been written by somebody else than the
    administrator, or is not TOML.
    """
    try:
        content = _content()
    except (FileNotFoundError, NotADirectoryError):
        return ABSENT
    except OSError as error:
        raise SettingError(f"{label()}: cannot be read: {error.strerror}") from error
    return parse_toml(content, label())


def check(source: Source, settings: Iterable[Setting]) -> None:
    """Raise SettingError if a policy has a key that is no setting, or a bad value for one of these.

    A misspelt `mode` would otherwise allow what the administrator forbids.
    """
    known = (MODE, *settings)
    for name in unknown_keys(source, known):
        if name not in UPLOADER_NAMES:
            raise SettingError(
                f"{source.label}: unknown setting {name!r}: it takes mode and the settings that "
                "telemetry-uploader check lists"
            )
    for setting in known:
        resolve_one(setting, [source])


def differ(one: Source, other: Source) -> bool:
    """Tell whether two policies demand different settings; their modes do not matter."""
    return one is not other and _settings(one) != _settings(other)


def _settings(source: Source) -> dict[str, object]:
    return {name: value for name, value in source.values.items() if name != MODE.name}


def _content() -> bytes:
    descriptor = os.open(paths.POLICY_FILE, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        status = os.fstat(descriptor)
        _check_author(status)
        return os.read(descriptor, _MAX_BYTES)
    finally:
        os.close(descriptor)


def _check_author(status: os.stat_result) -> None:
    """Refuse a policy that others than root, or whoever has its directory, could have written.

    Inside a user namespace root is somebody else, and so is the owner of the directory then.
    """
    if not stat.S_ISREG(status.st_mode) or status.st_size > _MAX_BYTES:
        raise SettingError(f"{label()}: must be a regular file of at most 64 KiB")
    owners = (0, os.stat(paths.POLICY_FILE.parent).st_uid)
    if status.st_uid not in owners or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise SettingError(
            f"{label()}: others than root may write it: chown root {paths.POLICY_FILE}; "
            f"chmod go-w {paths.POLICY_FILE}"
        )
