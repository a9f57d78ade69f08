"""Run a real uploader against what a row of a table stages, and look at what it leaves behind."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any, Self

from telemetry_spool.text import counted
from tests.conftest import DEADLINE_SECONDS, Place
from tests.faults.network_peer import Peer, Script
from tests.faults.table import Fault

_POLL_SECONDS = 0.02

# Rows that run while a test waits for its own: their processes mostly wait, too.
_ROWS_AHEAD = 4


def event(number: int, details: str = "") -> bytes:
    """Return an event as Flower makes them."""
    context = {
        "date": f"2026-03-01T12:00:{number % 60:02}+00:00",
        "flower": {"package_name": "flwr", "package_version": "1.41.0"},
    }
    return json.dumps(
        {
            "event_type": "RUN_SIMULATION_ENTER",
            "event_details": {"number": number, "details": details},
            "context": context,
        }
    ).encode()


EVENTS = [event(number) for number in range(3)]


def event_id(line: bytes) -> str:
    """Return the id of an event, as the design defines it."""
    return hashlib.sha256(line).hexdigest()


@dataclass(frozen=True, slots=True)
class Stage:
    """What an uploader meets: the endpoint's URL, variables, and who answers, if somebody does."""

    url: str
    environ: dict[str, str] = field(default_factory=dict)
    peer: Peer | None = None
    prefix: tuple[str, ...] = ()
    """What to put before the uploader's command."""


Staging = Callable[[Path], AbstractContextManager[Stage]]


def plain(script: Script) -> Staging:
    """Stage an endpoint that follows a script."""

    @contextmanager
    def stage(_: Path) -> Iterator[Stage]:
        with Peer(script) as peer:
            yield Stage(peer.url, peer=peer)

    return stage


# Where a test makes waits happen it makes them short; where it does not they are far away.
IN_A_HURRY = {"FLWR_TELEMETRY_CONNECT_TIMEOUT": "0.5", "FLWR_TELEMETRY_READ_TIMEOUT": "0.5"}


class Left(Enum):
    """What has become of every event."""

    KEPT = "kept"
    """It is in the spool as it was, byte for byte, and nothing else anywhere."""
    REJECTED = "rejected"
    """It is a dead letter; nothing is left in the spool."""
    SENT = "sent"
    """There is one receipt for it; nothing is left in the spool."""


@dataclass(frozen=True, slots=True)
class Row:
    """What comes over the wire, and what it must leave.

    `activity`, `reason` and `remedy` are what `status.json` says while it lasts; of the latter two,
    a part. `waits` are the least and the most seconds until the next attempt. `status` is that of
    the dead letters. `accepted_once` is for endpoints that count.
    """

    fault: Fault
    staging: Staging
    left: Left = Left.KEPT
    activity: str = "waiting"
    reason: str = ""
    remedy: str = ""
    waits: tuple[float, float] | None = None
    status: int | None = None
    environ: dict[str, str] = field(default_factory=dict)
    events: Sequence[bytes] = tuple(EVENTS)
    accepted_once: bool = False

    @property
    def name(self) -> str:
        """The row's name in the list of tests."""
        return self.fault.what.replace(",", "").replace(":", "").replace(" ", "-")


def fault(what: str, then: str) -> Fault:
    """Return a fault of the network."""
    return Fault("network", what, then)


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
    def running(self) -> Iterator[Daemon]:
        """Run the daemon; it is stopped at the end if it has not been."""
        log = self.place.root.parent / "uploader.log"
        with log.open("ab") as errors:
            process = subprocess.Popen(
                self._command("run"), env=self._environ, stderr=errors, start_new_session=True
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
        self._wait(lambda: condition(self.status()))
        return self.status()

    def wait_for_file(self, path: Path) -> bool:
        """Wait until a file has something in it; False if it never has."""
        return self._wait(lambda: path.exists() and path.stat().st_size > 0)

    def _wait(self, condition: Callable[[], bool]) -> bool:
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not condition():
            if time.monotonic() > deadline or self.process.poll() is not None:
                return False
            time.sleep(_POLL_SECONDS)
        return True

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


@dataclass(frozen=True, slots=True)
class Lasting:
    """What a daemon shows while a fault lasts."""

    status: dict[str, Any]
    exit_code: int
    left: Aftermath


@dataclass(frozen=True, slots=True)
class Seen:
    """What a row's run has shown: `once`, and before it a daemon if the fault keeps the events."""

    daemon: Lasting | None
    status: dict[str, Any]
    exit_code: int
    left: Aftermath
    accepted: list[bytes]
    """What the endpoint has accepted."""
    said: str
    """What the processes have written to stderr."""


def play(row: Row, directory: Path) -> Seen:
    """Run `once` and, where the events must stay, before that a daemon until its status says so."""
    place = Place(directory / "telemetry")
    spool = place.open()
    for line in row.events:
        spool.append(line)
    with row.staging(directory) as stage:
        uploader = Uploader(place, stage, row.environ)
        daemon, log = watch_it_wait(uploader, row) if row.left is Left.KEPT else (None, "")
        done = uploader.once("--wait", "0" if daemon else str(DEADLINE_SECONDS))
        return Seen(
            daemon=daemon,
            status=json.loads((place.root / "status.json").read_bytes()),
            exit_code=done.returncode,
            left=aftermath(place),
            accepted=list(stage.peer.accepted) if stage.peer else [],
            said=log + done.stderr,
        )


def watch_it_wait(uploader: Uploader, row: Row) -> tuple[Lasting, str]:
    """Run the daemon until its status says what the row says, and stop it."""

    def settled(status: dict[str, Any]) -> bool:
        waits = status.get("activity") == row.activity and row.reason in status["reason"]
        return waits and (row.waits is None or status["next_attempt_at"] is not None)

    with uploader.running() as daemon:
        status = daemon.wait_until(settled)
        lasting = Lasting(status, daemon.stop(), aftermath(uploader.place))
        return lasting, daemon.log.read_text("utf-8")


class Ahead:
    """Plays the rows of a table a few ahead of the test that asks for one."""

    def __init__(self, rows: Sequence[Row], directory: Path) -> None:
        self._rows = list(rows)
        self._directory = directory
        self._pool = ThreadPoolExecutor(_ROWS_AHEAD)
        self._played: dict[int, Future[Seen]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def seen(self, row: Row) -> Seen:
        """Return what this row has shown, once it has been played."""
        number = self._rows.index(row)
        for next_number in range(number, min(number + _ROWS_AHEAD, len(self._rows))):
            if next_number not in self._played:
                directory = self._directory / str(next_number)
                directory.mkdir()
                future = self._pool.submit(play, self._rows[next_number], directory)
                self._played[next_number] = future
        return self._played[number].result()


def verify(row: Row, seen: Seen) -> None:
    """Compare what a row has shown with what it must show."""
    match row.left:
        case Left.KEPT:
            _verify_kept(row, seen)
        case Left.REJECTED:
            letters = [json.dumps(letter["event"]).encode() for letter in seen.left.letters]
            _equal("the dead letters", sorted(letters), sorted(row.events), seen)
            statuses = {letter["status"] for letter in seen.left.letters}
            _equal("their status", statuses, {row.status}, seen)
            _equal("what is left", seen.left, Aftermath([], [], seen.left.letters, []), seen)
            _equal("the count", seen.status["rejected"], len(row.events), seen)
            _equal("the exit code", seen.exit_code, 0, seen)
        case Left.SENT:
            ids = sorted(map(event_id, row.events))
            _equal("the receipts", sorted(seen.left.receipts), ids, seen)
            _equal("what is left", seen.left, Aftermath([], [], [], seen.left.receipts), seen)
            _equal("the count", seen.status["accepted"], len(row.events), seen)
            _equal("the exit code", seen.exit_code, 0, seen)
            if row.accepted_once:
                accepted = sorted(seen.accepted)
                _equal("what the endpoint accepted", accepted, sorted(row.events), seen)


_WORDS = {
    "(52) Empty reply": "RemoteDisconnected",
    "takes too long": "timed out",
    "(60) SSL certificate": "CERTIFICATE_VERIFY_FAILED",
    "(60) SSL: no alternative certificate subject name": "Hostname",
    "wrong version number": "WRONG_VERSION_NUMBER",
    "(6) Could not resolve host": "name resolution",
}


def _verify_kept(row: Row, seen: Seen) -> None:
    untouched = Aftermath(list(row.events), [], [], [])
    assert seen.daemon is not None
    status = seen.daemon.status
    _equal("activity", status.get("activity"), row.activity, seen)
    _contains("the reason", _in_other_words(status["reason"]), row.reason)
    _contains("the remedy", status["remedy"], row.remedy)
    if row.waits is not None:
        least, most = row.waits
        _equal("the wait is right", least <= _wait(status) <= most, True, seen)
    _equal("the daemon's exit code", seen.daemon.exit_code, 0, seen)
    _equal("what the daemon left", seen.daemon.left, untouched, seen)
    _equal("what is left", seen.left, untouched, seen)
    _equal("the exit code", seen.exit_code, 75, seen)
    _contains("what `once` said", seen.said, f"{counted(len(row.events))} kept")
    _contains("what `once` said", seen.said, row.remedy)
    _equal("what the endpoint accepted", seen.accepted, [], seen)


def _in_other_words(reason: str) -> str:
    """Return a reason of curl's with the words that `requests` has for the same."""
    return reason + "".join(words for said, words in _WORDS.items() if said in reason)


def _wait(status: dict[str, Any]) -> float:
    moments = (status["updated_at"], status["next_attempt_at"])
    now, then = map(datetime.fromisoformat, moments)
    return (then - now).total_seconds()


def _equal(what: str, actual: object, expected: object, seen: Seen) -> None:
    if actual != expected:
        status = seen.daemon.status if seen.daemon else seen.status
        raise AssertionError(
            f"{what}: {actual!r} instead of {expected!r}\n{status}\n{seen.said[-2000:]}"
        )


def _contains(what: str, actual: str, part: str) -> None:
    if part not in actual:
        raise AssertionError(f"{what}: {part!r} is not in {actual!r}")
