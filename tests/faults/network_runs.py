"""Run a real uploader against what a row of a table stages, and look at what it leaves behind."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from telemetry_spool.text import counted
from tests.conftest import DEADLINE_SECONDS, Place
from tests.faults.network_rows import Left, Row, event_id
from tests.faults.network_uploader import Aftermath, Uploader, aftermath, over

# Rows that run while a test waits for its own: their processes mostly wait, too.
_ROWS_AHEAD = 4


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
        uploader = Uploader(place, stage, {**over(row.transport), **row.environ})
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
        if status.get("activity") != row.activity or row.reason not in _said(status, row):
            return False
        return row.waits is None or status["next_attempt_at"] is not None

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


_WORDS_OF_CURL = {
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
    _contains("the reason", _said(status, row), row.reason)
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


def _said(status: dict[str, Any], row: Row) -> str:
    """Return the reason; a reason of curl's with the words that `requests` has for the same."""
    reason: str = status["reason"]
    if row.transport == "requests":
        return reason
    return reason + "".join(words for said, words in _WORDS_OF_CURL.items() if said in reason)


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
