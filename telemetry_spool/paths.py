"""Every path and every file name of this project. Nothing here creates or opens anything."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import NamedTuple

# Not when they are needed: a signal handler that interrupts an import finds half a module.
import platformdirs

APPLICATION = "flwr-telemetry"

POLICY_FILE = Path(
    "/Library/Application Support/flwr-telemetry/policy.toml"
    if sys.platform == "darwin"
    else "/etc/flwr-telemetry/policy.toml"
)
"""The site policy. No variable moves it: it is the administrator's word against the user's."""

DROP_BOX = Path("/var/spool", APPLICATION)
"""The spool of all users of a machine, where a service is installed: it belongs to the service."""
SERVICE_ROOT = Path("/var/lib", APPLICATION)
"""The root of that service."""

NOWHERE = Path("/dev/null/no-home-directory")
"""The root where none can be determined: it cannot exist, and the error names the reason."""

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


class Directories(NamedTuple):
    """Where everything is. `root` has it all; `spool` can be elsewhere (a drop box)."""

    root: Path
    spool: Path

    @property
    def rejected(self) -> Path:
        """Dead letters, a file a day."""
        return self.root / "rejected"

    @property
    def receipts(self) -> Path:
        """What left this machine and what was lost, a file a day."""
        return self.root / "receipts"

    @property
    def status(self) -> Path:
        """The uploader's heartbeat."""
        return self.root / "status.json"

    @property
    def page(self) -> Path:
        """The page that `view` writes."""
        return self.root / "page" / "telemetry.html"

    @property
    def uploader_lock(self) -> Path:
        """Held by the one uploader of a private spool."""
        return self.spool / "uploader.lock"

    @property
    def service_lock(self) -> Path:
        """Held by the one uploader of a shared spool: in there anybody could hold it."""
        return self.root / "uploader.lock"

    @property
    def progress(self) -> Path:
        """Progress files of a shared spool: in there anybody could forge them."""
        return self.root / "progress"

    @property
    def heard_of(self) -> Path:
        """The heartbeat of the uploader that sends from this spool: the service's, if it does."""
        served = self.spool == DROP_BOX and self.root != SERVICE_ROOT
        return SERVICE_ROOT / self.status.name if served else self.status


def default_root() -> Path | None:
    """Return the platform's state directory of this user; None where there is no home."""
    return _with_home(platformdirs.user_state_path)


def user_config_directory() -> Path | None:
    """Return the directory of this user's `config.toml` and `mode`; None without a home."""
    return _with_home(platformdirs.user_config_path)


def _with_home(platform_path: Callable[[str], Path]) -> Path | None:
    try:
        directory = platform_path(APPLICATION)
    except RuntimeError:
        return None  # newer platformdirs; older ones return a path that begins with "~"
    return directory if directory.is_absolute() else None


def config_files() -> list[Path]:
    """Return the settings files, the user's before the site's, whether or not they exist."""
    directories = (user_config_directory(), platformdirs.site_config_path(APPLICATION))
    return [directory / "config.toml" for directory in directories if directory]


def mode_file() -> Path | None:
    """Return the file with the user's choice of mode; None without a home."""
    directory = user_config_directory()
    return directory / "mode" if directory else None


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
