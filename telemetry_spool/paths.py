"""Every file name of this project, and every path: those of `directories`, too.

Nothing here creates or opens anything.
"""

from __future__ import annotations

import os
import re
from datetime import datetime
from enum import Enum
from typing import NamedTuple

from telemetry_spool.directories import (
    APPLICATION,
    DROP_BOX,
    NOWHERE,
    POLICY_FILE,
    SERVICE_ROOT,
    Directories,
    config_files,
    default_root,
    mode_file,
    user_config_directory,
)

__all__ = [
    "APPLICATION",
    "DROP_BOX",
    "NOWHERE",
    "POLICY_FILE",
    "SERVICE_ROOT",
    "Directories",
    "Kind",
    "ModeFile",
    "ack_name",
    "acked_segment",
    "active_name",
    "aside_name",
    "config_files",
    "daily_name",
    "daily_order",
    "default_root",
    "host_name",
    "host_of",
    "is_room",
    "is_temporary",
    "is_uid",
    "kind_of",
    "mode_file",
    "mode_file_of",
    "mode_name",
    "mode_request_name",
    "released_name",
    "room_name",
    "sealed_name",
    "successor_name",
    "temporary_name",
    "uid_of",
    "user_config_directory",
]

_ACTIVE = re.compile(r"(?P<host>[A-Za-z0-9_-]+)\.(?P<uid>[0-9]+)\.(?P<kind>active|local)\.jsonl")
_ROOM = re.compile(r"[A-Za-z0-9_-]+\.[0-9]+\.room")
_SEALED = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{16}(\.(?P<kind>local|released))?\.jsonl")
_TEMPORARY = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{16}(\.(local|released))?(\.acked)?\.tmp")
_DAILY = re.compile(r"(?P<day>[0-9]{4}-[0-9]{2}-[0-9]{2})(\.(?P<part>[0-9]+))?\.jsonl")
_MODE = re.compile(r"(?P<uid>[0-9]+)\.mode(?P<request>\.[0-9]{8}T[0-9]{6}Z-[0-9a-f]{16})?")
_SUFFIX = ".jsonl"

# The first of the unique digits are microseconds: many segments may become full in one second.
_UNIQUE_LENGTH = 16
_MICROSECONDS_LENGTH = 5

# Longer host names are cut: a file name may have 255 bytes, and UID and kind follow.
_HOST_LENGTH = 64


class Kind(Enum):
    """What a file in the spool directory is."""

    ACTIVE = "active"
    """Appended to by every process of one user on one host."""
    SEALED = "sealed"
    """Immutable; the uploader may send it."""
    ACTIVE_LOCAL = "active-local"
    """Active, recorded in mode `local`: never uploaded."""
    SEALED_LOCAL = "sealed-local"
    """Sealed, recorded in mode `local`: never uploaded."""
    RELEASED = "released"
    """Sealed, and chosen by the user to be sent, in mode `local` too."""

    @property
    def active(self) -> bool:
        """Whether writers may still append."""
        return self in (Kind.ACTIVE, Kind.ACTIVE_LOCAL)

    @property
    def local(self) -> bool:
        """Whether it was recorded in mode `local`."""
        return self in (Kind.ACTIVE_LOCAL, Kind.SEALED_LOCAL)


def host_name() -> str:
    """Return this host's name as file names carry it: ASCII letters, digits, `_` and `-`."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", os.uname().nodename)[:_HOST_LENGTH] or "_"


def active_name(host: str, uid: int, *, local: bool) -> str:
    """Return the name of the segment that one user on one host appends to."""
    return f"{host}.{uid}.{'local' if local else 'active'}{_SUFFIX}"


def room_name(host: str, uid: int) -> str:
    """Return the name of the note that says how much this user may seal before the next look."""
    return f"{host}.{uid}.room"


def is_room(name: str) -> bool:
    """Tell whether a file is such a note, of whichever host and user."""
    return _ROOM.fullmatch(name) is not None


def sealed_name(now: datetime, token: bytes, *, local: bool) -> str:
    """Return a name for a sealed segment: by time in UTC, made unique by the bytes in `token`."""
    return f"{_stamp(now, token, local=local)}{_SUFFIX}"


def released_name(now: datetime, token: bytes) -> str:
    """Return a name for a sealed segment of events that the user has chosen to be sent."""
    return f"{_stamp(now, token, local=False)}.released{_SUFFIX}"


def successor_name(sealed: str, token: bytes) -> str:
    """Return a new name for a segment that takes the place of a sealed one: with the same time."""
    time = len("YYYYmmddTHHMMSSZ-") + _MICROSECONDS_LENGTH
    end = len("YYYYmmddTHHMMSSZ-") + _UNIQUE_LENGTH
    return f"{sealed[:time]}{token.hex()[: end - time]}{sealed[end:]}"


def temporary_name(now: datetime, token: bytes, *, local: bool) -> str:
    """Return the name under which a segment is written before its rename makes it sealed."""
    return f"{_stamp(now, token, local=local)}.tmp"


def _stamp(now: datetime, token: bytes, *, local: bool) -> str:
    unique = f"{now.microsecond:0{_MICROSECONDS_LENGTH}x}{token.hex()}"[:_UNIQUE_LENGTH]
    return f"{now:%Y%m%dT%H%M%SZ}-{unique}{'.local' if local else ''}"


_SEALED_KINDS = {None: Kind.SEALED, "local": Kind.SEALED_LOCAL, "released": Kind.RELEASED}


def kind_of(name: str) -> Kind | None:
    """Tell what a file in the spool directory is; None for everything that is not a segment."""
    if match := _SEALED.fullmatch(name):
        return _SEALED_KINDS[match["kind"]]
    if match := _ACTIVE.fullmatch(name):
        return Kind.ACTIVE_LOCAL if match["kind"] == "local" else Kind.ACTIVE
    return None


def is_temporary(name: str) -> bool:
    """Tell whether a file is a segment or progress that somebody is writing, or died writing."""
    return _TEMPORARY.fullmatch(name) is not None


def host_of(active: str) -> str:
    """Return the host that an active segment's name carries."""
    return active.split(".", 1)[0]


def uid_of(active: str) -> int:
    """Return the user that an active segment's name carries."""
    return int(active.split(".")[1])


def mode_name(uid: int) -> str:
    """Return the name of the file in a drop box that has a user's choice of mode."""
    return f"{uid}.mode"


def mode_request_name(uid: int, now: datetime, token: bytes) -> str:
    """Return a name for a mode file that the service is to put in its place; they sort by time."""
    return f"{mode_name(uid)}.{_stamp(now, token, local=False)}"


class ModeFile(NamedTuple):
    """Whose choice of mode a file in a drop box has; a `request` is not in its place yet."""

    uid: int
    request: bool


def mode_file_of(name: str) -> ModeFile | None:
    """Tell whose choice of mode a file in a drop box has; None for every other file."""
    match = _MODE.fullmatch(name)
    return ModeFile(int(match["uid"]), match["request"] is not None) if match else None


def aside_name(now: datetime, token: bytes) -> str:
    """Return a name for what stood where somebody else's file belongs: it means nothing."""
    return f"aside-{_stamp(now, token, local=False)}"


def ack_name(sealed: str) -> str:
    """Return the name of the progress file beside a sealed segment."""
    return sealed.removesuffix(_SUFFIX) + ".acked"


def acked_segment(name: str) -> str | None:
    """Return the segment whose progress a file keeps; None for every other file."""
    segment = name.removesuffix(".acked") + _SUFFIX
    return segment if name.endswith(".acked") and _SEALED.fullmatch(segment) else None


def is_uid(name: str) -> bool:
    """Tell whether a directory is named after a user: it has the records of that user's events."""
    return name.isascii() and name.isdecimal()


def daily_name(now: datetime, part: int = 0) -> str:
    """Return the name of a day's file of receipts or dead letters; parts follow when it fills."""
    return f"{now:%Y-%m-%d}.{part}{_SUFFIX}" if part else f"{now:%Y-%m-%d}{_SUFFIX}"


def daily_order(name: str) -> tuple[str, int] | None:
    """Return day and part of a daily file, which sort by time; None for every other file."""
    match = _DAILY.fullmatch(name)
    return (match["day"], int(match["part"] or 0)) if match else None
