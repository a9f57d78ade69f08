"""Tell the service manager how the daemon is, as sd_notify(3) does."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import MutableMapping

from telemetry_spool.text import plain

# A manager that does not read must not stop the daemon; it restarts a daemon that says nothing.
_PATIENCE_SECONDS = 1.0

_log = logging.getLogger(__name__)


class Notifier:
    """Notifies the service manager; does nothing where there is none. Never raises."""

    def __init__(self, environ: MutableMapping[str, str], pid: int) -> None:
        """Take its variables out of the environment: they are for the process `pid`, no child's."""
        self._address = environ.pop("NOTIFY_SOCKET", "")
        watchdog = environ.pop("WATCHDOG_USEC", "")
        watched = environ.pop("WATCHDOG_PID", "") or str(pid)
        self.interval = math.inf
        """Seconds after which a sign of life is due; endless if nobody waits for one."""
        if self._address and watchdog.isdecimal() and int(watchdog) and watched == str(pid):
            self.interval = int(watchdog) / 1_000_000 / 3
        self._alive_at = -math.inf
        self._status = ""
        self._ready = False
        self._stopping = False

    def ready(self, status: str | None = None) -> None:
        """Say that the daemon does its work, and what it is doing, as far as that is news."""
        said = self._status if status is None else plain(status)
        if not self._ready:
            self._send(f"READY=1\nSTATUS={said}")
        elif said != self._status:
            self._send(f"STATUS={said}")
        self._ready, self._status = True, said

    def reloading(self) -> None:
        """Say that the settings are being read again; `ready()` says when that is over."""
        self._ready = False
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._send(f"RELOADING=1\nMONOTONIC_USEC={now}")

    def stopping(self) -> None:
        """Say once that the daemon is about to end."""
        if not self._stopping:
            self._stopping = True
            self._send("STOPPING=1\nSTATUS=stopping")

    def alive(self) -> None:
        """Say that the main loop goes round, if that is due. For the main loop only."""
        now = time.monotonic()
        if now - self._alive_at >= self.interval:
            self._alive_at = now
            self._send("WATCHDOG=1")

    def _send(self, state: str) -> None:
        if self._address[:1] not in ("/", "@"):
            return
        import socket  # only under a service manager

        address = self._address.replace("@", "\0", 1) if self._address[0] == "@" else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
                channel.settimeout(_PATIENCE_SECONDS)
                channel.sendto(state.encode("utf-8", "replace"), address)
        except OSError as error:
            _log.debug("the service manager cannot be told %r: %s", state, error)
