"""A real uploader as a process of its own, and what it leaves in the directories."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import DEADLINE_SECONDS, Place
from tests.faults.network_peer import Peer
from tests.support.processes import comes_true

TRANSPORTS = ("requests", "pycurl")
over_each_transport = pytest.mark.parametrize("transport", TRANSPORTS)


def over(transport: str) -> dict[str, str]:
    """Return the variable that has an uploader use this library."""
    return {"FLWR_TELEMETRY_TRANSPORT": transport}


@dataclass(frozen=True, slots=True)
class Stage:
    """What an uploader meets: the endpoint's URL, variables, and who answers, if somebody does."""

    url: str
    environ: dict[str, str] = field(default_factory=dict)
    peer: Peer | None = None
    prefix: tuple[str, ...] = ()
    """What to put before the uploader's command."""


class Uploader:
    """The uploader of one telemetry root, to be started as a process of its own."""

    def __init__(self, place: Place, stage: Stage, environ: dict[str, str] | None = None) -> None:
        self.place = place
        self._prefix = stage.prefix
        home = place.root.parent / "home"
        self._environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "FLWR_TELEMETRY_ENDPOINT": stage.url,
            "FLWR_TELEMETRY_CONNECT_TIMEOUT": "30",
            "FLWR_TELEMETRY_READ_TIMEOUT": "30",
            "FLWR_TELEMETRY_RESCAN_INTERVAL": "1",
            **place.environ,
            **stage.environ,
            **(environ or {}),
        }

    def once(self, *flags: str) -> subprocess.CompletedProcess[str]:
        """Run `once`."""
        return subprocess.run(
            self._command("once", *flags),
            env=self._environ,
            check=False,
            capture_output=True,
            text=True,
            timeout=DEADLINE_SECONDS,
        )

    @contextmanager
    def running(self, command: str = "run") -> Iterator[Daemon]:
        """Run the daemon, or another command; it is stopped at the end if it has not been."""
        log = self.place.root.parent / "uploader.log"
        with log.open("ab") as errors:
            process = subprocess.Popen(
                self._command(command), env=self._environ, stderr=errors, start_new_session=True
            )
            try:
                yield Daemon(process, self.place, log)
            finally:
                process.kill()
                process.wait()

    def _command(self, *arguments: str) -> list[str]:
        return [*self._prefix, sys.executable, "-m", "uploader.cli", *arguments]


@dataclass(frozen=True, slots=True)
class Daemon:
    """A running uploader."""

    process: subprocess.Popen[bytes]
    place: Place
    log: Path

    def status(self) -> dict[str, Any]:
        """Return what `status.json` says; nothing if this process has not written it yet."""
        try:
            said: dict[str, Any] = json.loads((self.place.root / "status.json").read_bytes())
        except FileNotFoundError:
            return {}
        return said if said["pid"] == self.process.pid else {}

    def wait_until(self, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Wait until something is true of the status; return the last one, whatever it says."""
        self._comes_true(lambda: condition(self.status()))
        return self.status()

    def wait_for(self, text: str, path: Path) -> bool:
        """Wait until something is in a file; False if it never is."""
        return self._comes_true(lambda: path.exists() and text in path.read_text("latin-1"))

    def _comes_true(self, condition: Callable[[], bool]) -> bool:
        """Wait until something is true, or the process has ended."""
        return comes_true(lambda: condition() or self.process.poll() is not None) and condition()

    def peak_memory(self) -> int:
        """Return the most memory that the process has had, in bytes."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text("ascii").splitlines()
        (peak,) = (line.split()[1] for line in lines if line.startswith("VmHWM:"))
        return int(peak) * 1024

    def stop(self) -> int:
        """Send SIGTERM and return the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=DEADLINE_SECONDS)


@dataclass(frozen=True, slots=True)
class Aftermath:
    """What is in the directories of a telemetry root."""

    spool: list[bytes]
    """Every line in it."""
    progress: list[str]
    """The names of the progress files."""
    letters: list[dict[str, Any]]
    receipts: list[str]
    """The ids of the events that left."""


def aftermath(place: Place) -> Aftermath:
    """Look at a telemetry root."""
    letters = [
        json.loads(line)
        for path in sorted((place.root / "rejected").glob("*.jsonl"))
        for line in path.read_bytes().splitlines()
    ]
    return Aftermath(
        spool=place.lines(),
        progress=[name for name in place.names() if name.endswith(".acked")],
        letters=letters,
        receipts=[record["id"] for record in place.ledger() if "id" in record],
    )
