"""What systemd says here and now: whether it can be asked, what is installed, what runs."""

from __future__ import annotations

import os
import pwd
import subprocess
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import platformdirs

from telemetry_spool import heartbeat
from uploader.service.obstacle import Obstacle
from uploader.service.systemd import RESIDENT, Places, Scope, systemctl

_BOOTED = Path("/run/systemd/system")
# A start takes half a second; a machine that is busy may take its time.
_PATIENCE_SECONDS = 30.0
_POLL_SECONDS = 0.1


def places(scope: Scope) -> Places:
    """Return where units go on this machine."""
    if scope is Scope.SYSTEM:
        return Places(Path("/etc/systemd/system"), Path("/run/systemd/system"), Path("/run"))
    runtime = _runtime_directory()
    return Places(
        platformdirs.user_config_path("systemd") / "user", runtime / "systemd" / "user", runtime
    )


def _runtime_directory() -> Path:
    return Path(os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.geteuid()}")


def find_manager(scope: Scope) -> None:
    """See that the manager can be asked. Raises Obstacle with what to do if it cannot.

    After `su`, the variable is missing by which a user's manager is found: then it is set.
    """
    if not _BOOTED.is_dir():
        raise Obstacle(
            "systemd does not run here (a container?): have `telemetry-uploader run` started by "
            "what does, or `telemetry-uploader once` by cron",
            os.EX_UNAVAILABLE,
        )
    if scope is Scope.SYSTEM:
        if os.geteuid() != 0:
            raise Obstacle("--system takes root: use sudo", os.EX_NOPERM)
        return
    os.environ.setdefault("XDG_RUNTIME_DIR", str(_runtime_directory()))
    if _ask(*systemctl(scope, "show", "--property=Version")) is None:
        name = pwd.getpwuid(os.geteuid()).pw_name
        raise Obstacle(
            f"no service manager of {name}'s runs: log in as {name}, or have an administrator say "
            f"`loginctl enable-linger {name}`",
            os.EX_UNAVAILABLE,
        )


def present(paths: Iterable[Path]) -> frozenset[Path]:
    """Return those paths that exist."""
    return frozenset(path for path in paths if os.path.lexists(path))


def becomes_active(scope: Scope, unit: str) -> bool:
    """Wait until a unit is active; False if it does not become that."""
    return _wait(lambda: _ask(*systemctl(scope, "is-active", unit)) is not None)


def beats(scope: Scope, status: Path) -> bool:
    """Wait until the resident uploader's heartbeat is in its status file; False if it is not."""

    def is_there() -> bool:
        pid = _ask(*systemctl(scope, "show", "--property=MainPID", "--value", RESIDENT))
        beat = heartbeat.read(status)
        return beat is not None and pid is not None and str(beat.pid) == pid.strip()

    return _wait(is_there)


def last_words(scope: Scope, unit: str) -> str:
    """Return the last line that a unit's last run wrote; nothing if it cannot be had."""
    run = _ask(*systemctl(scope, "show", "--property=InvocationID", "--value", unit))
    if run is None or not run.strip():
        return ""
    said = _ask(
        *("journalctl", f"_SYSTEMD_INVOCATION_ID={run.strip()}", "--identifier=telemetry-uploader"),
        *("--lines=1", "--output=cat", "--quiet", "--no-pager"),
    )
    return " ".join((said or "").split())


def logout_hint() -> str | None:
    """Return how to keep a user's service running without a login; None if it will be."""
    name = pwd.getpwuid(os.geteuid()).pw_name
    answer = _ask("loginctl", "show-user", name, "--property=Linger", "--value")
    if answer is not None and answer.strip() == "yes":
        return None
    return f"it stops when {name} logs out; to keep it running: loginctl enable-linger {name}"


def journal(scope: Scope, unit: str) -> str:
    """Return the command that shows what a unit said."""
    return f"journalctl --{scope.value} -u {unit}"


def _ask(*argv: str) -> str | None:
    """Return what a command says; None if it fails or is not there."""
    try:
        done = subprocess.run(  # noqa: S603 - the commands are those above
            argv, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60
        )
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def _wait(condition: Callable[[], bool]) -> bool:
    """Wait for a condition; False if it does not come true in time."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    pause = threading.Event()
    while not condition():
        if time.monotonic() > deadline:
            return False
        pause.wait(_POLL_SECONDS)
    return True
