"""The uploader's heartbeat, `status.json`: written by the uploader, read by whoever asks."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import get_type_hints

# What fits into the type of a pid; psutil raises for more.
_MAX_PID = 2**31 - 1

INTERVAL_SECONDS = 30.0
"""How often an uploader that has nothing to do writes one: to be believed, at no cost."""

# A process with the pid of a dead uploader started later than the uploader by more than this.
_CLOCK_SLACK_SECONDS = 2.0

# The timer of the on-demand service starts a single run every quarter of an hour, cron every hour.
_LATELY_SECONDS = 2 * 3600.0


class Activity(StrEnum):
    """What an uploader is doing."""

    SENDING = "sending"
    IDLE = "idle"
    """Everything that was found has been sent."""
    WAITING = "waiting"
    """The endpoint cannot take events now; it is tried again."""
    HELD = "held"
    """Only a person can mend it; nothing is deleted meanwhile."""
    PAUSED = "paused"
    """Consent forbids sending."""
    STOPPED = "stopped"
    ENDED = "ended"
    """A single run has ended: whatever starts one now and then, or a person, starts the next."""


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """What an uploader says of itself. Times are ISO 8601 in UTC; `started` is epoch seconds.

    `reason` says why it is not sending, `remedy` what a person can do about that; both may be
    empty. `accepted` and `rejected` count events since it started.
    """

    pid: int
    host: str
    version: str
    started: float
    updated_at: str
    endpoint: str
    activity: str
    reason: str
    remedy: str
    next_attempt_at: str | None
    accepted: int
    rejected: int
    last_accepted_at: str | None


def write(path: Path, heartbeat: Heartbeat, mode: int = 0o600) -> None:
    """Write a heartbeat, atomically, for those whom `mode` lets read it. Raises OSError."""
    temporary = path.with_name(f"{path.name}.tmp")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(temporary, flags, 0o600), "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), mode)
        json.dump(asdict(heartbeat), file, indent=2)
        file.write("\n")
    temporary.replace(path)


def read(path: Path) -> Heartbeat | None:
    """Read the last heartbeat; None if there is none that can be understood."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        found = Heartbeat(**{field.name: content[field.name] for field in fields(Heartbeat)})
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return found if _is_sound(found) else None


def _is_sound(found: Heartbeat) -> bool:
    """Tell whether what was read has the types that were written, and a pid that can be one."""
    kinds = get_type_hints(Heartbeat)
    fits = all(isinstance(getattr(found, name), kind) for name, kind in kinds.items())
    return fits and 0 < found.pid <= _MAX_PID


def is_alive(heartbeat: Heartbeat) -> bool | None:
    """Tell whether the uploader of a heartbeat runs; None if it is, or was, on another host."""
    if heartbeat.activity in (Activity.STOPPED, Activity.ENDED):
        return False
    if heartbeat.host != os.uname().nodename:
        return None
    import psutil  # for those who ask; the uploader only writes

    try:
        process = psutil.Process(heartbeat.pid)
        # When the clock is set, the time at which a process was created seems to move.
        return bool(
            _is_from_the_last(2 * INTERVAL_SECONDS, heartbeat)
            or process.create_time() <= heartbeat.started + _CLOCK_SLACK_SECONDS
        )
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True


def ran_lately(heartbeat: Heartbeat) -> bool:
    """Tell whether a single run has ended not long ago: another one is to be expected."""
    ended = heartbeat.activity == Activity.ENDED
    return ended and _is_from_the_last(_LATELY_SECONDS, heartbeat)


def _is_from_the_last(seconds: float, heartbeat: Heartbeat) -> bool:
    try:
        age = datetime.now(tz=UTC) - datetime.fromisoformat(heartbeat.updated_at)
    except (ValueError, TypeError):
        return False
    return abs(age.total_seconds()) < seconds
