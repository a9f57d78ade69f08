"""What every test has: a home of its own, a telemetry root of its own, no settings of the machine.

Tests look at a spool from outside: the names in its directories and the bytes in its files.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from telemetry_spool.recorder import default_recorder
from telemetry_spool.spool import Spool
from telemetry_spool.standalone import _cluster_id, _logger, _producer
from telemetry_spool.writer_settings import writer_config
from tests.support.endpoint import Endpoint
from tests.support.network import network_variables

# Far above what any step needs: it ends a test that hangs, and decides nothing else.
DEADLINE_SECONDS = 60.0

# What makes help differ from machine to machine.
_TERMINAL = ("COLUMNS", "NO_COLOR", "FORCE_COLOR", "PY_COLORS", "GITHUB_ACTIONS")


def pytest_configure() -> None:
    """Hear signals as a terminal's processes do, so that those do that tests start.

    Under nohup, and in the background of a script, they are ignored, and children inherit that.
    """
    for number, usual in (
        (signal.SIGINT, signal.default_int_handler),
        (signal.SIGHUP, signal.SIG_DFL),
    ):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, usual)


@pytest.fixture(autouse=True)
def isolation(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Hide the machine's telemetry settings and home, and forget what a process remembers."""
    for name in list(os.environ):
        if name.startswith("FLWR_") or name in ("DO_NOT_TRACK", *_TERMINAL):
            monkeypatch.delenv(name)
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / ".config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(home / ".local" / "state"))
    monkeypatch.setenv("XDG_CONFIG_DIRS", str(home / "etc" / "xdg"))
    monkeypatch.setenv("FLWR_HOME", str(home / ".flwr"))
    _forget()
    yield
    _forget()


def _forget() -> None:
    for remembered in (default_recorder, _producer, _cluster_id, _logger):
        remembered.cache_clear()
    for name in ("telemetry_spool", "flwr-telemetry"):
        logging.getLogger(name).handlers.clear()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the figures that tests have recorded."""
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            terminalreporter.write_line(f"{name}: {value}")


@pytest.fixture
def plain_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget the proxies and certificates of this machine."""
    for name in network_variables():
        monkeypatch.delenv(name)


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    """Return a running endpoint that accepts everything until it is told otherwise."""
    with Endpoint() as running:
        yield running


@dataclass(frozen=True, slots=True)
class Place:
    """A telemetry root, seen from outside."""

    root: Path

    @property
    def spool(self) -> Path:
        """Where the segments are."""
        return self.root / "spool"

    @property
    def environ(self) -> dict[str, str]:
        """The environment variables that make a process use this root."""
        return {"FLWR_TELEMETRY_DIR": str(self.root)}

    def open(self, **settings: object) -> Spool:
        """Return a spool in this root with these settings, `max_event_bytes=2048` for one."""
        variables = {f"FLWR_TELEMETRY_{name.upper()}": str(settings[name]) for name in settings}
        return Spool(writer_config(self.environ | variables))

    def names(self) -> list[str]:
        """Return the names in the spool directory, sorted, but for the notes of the quota."""
        if not self.spool.exists():
            return []
        return sorted(path.name for path in self.spool.iterdir() if path.suffix != ".room")

    def active(self) -> Path:
        """Return the path of the active segment of this host and user, whether or not it exists."""
        host = "".join(
            character if character.isascii() and (character.isalnum() or character in "_-") else "_"
            for character in os.uname().nodename
        )[:64]
        return self.spool / f"{host}.{os.geteuid()}.active.jsonl"

    def sealed(self) -> list[Path]:
        """Return the paths of the sealed segments, the oldest first."""
        return [self.spool / name for name in self.names() if name[:8].isdigit()]

    def lines(self) -> list[bytes]:
        """Return every line of every file in the spool, file by file in the order of names."""
        return [
            line
            for name in self.names()
            if name.endswith(".jsonl")
            for line in (self.spool / name).read_bytes().splitlines()
        ]

    def events(self) -> list[dict[str, Any]]:
        """Return every event in the spool."""
        return [json.loads(line) for line in self.lines()]

    def ledger(self) -> list[dict[str, Any]]:
        """Return every line of the loss ledger."""
        return [
            json.loads(line)
            for path in sorted((self.root / "receipts").glob("*.jsonl"))
            for line in path.read_bytes().splitlines()
        ]

    def losses(self) -> Counter[str]:
        """Return how many events the ledger says were lost, by reason."""
        lost: Counter[str] = Counter()
        for record in self.ledger():
            lost[record["reason"]] += record["lost"]
        return lost


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Return a telemetry root that does not exist yet."""
    return Place(tmp_path / "telemetry")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a real file system of 32 KiB; skip where this user may not."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if not _mount("-t", "tmpfs", "-o", "size=32k", "tmpfs", str(disk)):
        pytest.skip("mounting a small tmpfs takes root")
    yield disk
    subprocess.run(["umount", "--lazy", disk], check=True, timeout=DEADLINE_SECONDS)


@pytest.fixture
def read_only_disk(small_disk: Path) -> Path:
    """Mount a real file system that cannot be written; skip where this user may not."""
    assert _mount("-o", "remount,ro", str(small_disk))
    return small_disk


def _mount(*arguments: str) -> bool:
    try:
        done = subprocess.run(
            ["mount", *arguments], check=False, capture_output=True, timeout=DEADLINE_SECONDS
        )
    except FileNotFoundError:
        return False
    return done.returncode == 0


def run_python(
    code: str, *arguments: str, environ: dict[str, str] | None = None, flags: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    """Run code in an interpreter of its own, and fail the test if it fails or does not end."""
    done = subprocess.run(
        [sys.executable, *flags, "-c", code, *arguments],
        env=os.environ | (environ or {}),
        check=False,
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
    )
    assert done.returncode == 0, done.stderr
    return done


# As root, permissions mean nothing: this makes a process somebody whom they do stop. What it needs
# is loaded before, because the interpreter may lie where only root can read.
UNPRIVILEGED = """
import os, sys
import telemetry_spool.standalone, platformdirs.unix, tomllib, logging, encodings.idna
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
"""


@pytest.fixture
def reachable() -> Iterator[Path]:
    """Return a directory that another user can reach and write."""
    directory = Path(tempfile.mkdtemp())
    directory.chmod(0o777)
    yield directory
    directory.chmod(0o700)
    for parent, names, _ in os.walk(directory):
        for name in names:
            os.chmod(os.path.join(parent, name), 0o700)  # before the walk goes into it
    shutil.rmtree(directory)


# A telemetry module as Flower's is made. Sending would fail: there is nobody at the port "discard".
FLOWER_TELEMETRY = """
import json
import os
import threading
import urllib.request
import uuid
from concurrent.futures import Future
from datetime import datetime, timezone
from enum import Enum

FLWR_TELEMETRY_ENABLED = os.getenv("FLWR_TELEMETRY_ENABLED", "1")
FLWR_TELEMETRY_LOGGING = os.getenv("FLWR_TELEMETRY_LOGGING", "0")
URL = "http://127.0.0.1:9/"
state = {"cluster": None, "source": None}
state_lock = threading.Lock()
created = []
logged = []


class EventType(str, Enum):
    RUN_ENTER = "RUN_ENTER"
    RUN_LEAVE = "RUN_LEAVE"


def _get_source_id():
    return "unavailable"


def create_event(event_type, event_details):
    created.append(event_type)
    with state_lock:
        if state["source"] is None:
            state["source"] = _get_source_id()
    if state["cluster"] is None:
        state["cluster"] = str(uuid.uuid4())
    payload = {
        "event_type": event_type,
        "event_details": {} if event_details is None else event_details,
        "context": {
            "source": state["source"],
            "cluster": state["cluster"],
            "date": datetime.now(tz=timezone.utc).isoformat(),
            "flower": {"package_name": "flwr", "package_version": "0"},
        },
    }
    body = json.dumps(payload)
    if FLWR_TELEMETRY_LOGGING == "1":
        logged.append(body)
    if FLWR_TELEMETRY_ENABLED == "1":
        request = urllib.request.Request(
            url=URL, data=body.encode("utf-8"), headers={"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.read().decode("utf-8")
    return "disabled"


def event(event_type, event_details=None):
    future = Future()
    threading.Thread(target=lambda: future.set_result(create_event(event_type, event_details)))
    return future
"""
