"""What must hold after a crash and a new start, whatever was killed and wherever."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from telemetry_spool import heartbeat
from tests.conftest import Place
from tests.faults.crash_points import (
    CHANGING,
    CrashServer,
    Point,
    Run,
    calls_that_touch,
    kill_everywhere,
)
from tests.support.endpoint import CREATED, Answer, Endpoint, Request

NEXT = json.dumps({"event_type": "NEXT"})
"""What a new writer appends after each crash."""

PATHS = ("first", "again")
"""Where the requests of an attempt go: those before the new start, those after it."""

# Nobody is waiting for a file that has not been touched for this long.
_ABANDONED_SECONDS = 7200.0


def event(number: int, size: int = 0) -> str:
    """Return an event that can be told from every other one, padded to `size` bytes."""
    text = json.dumps({"event_type": "TEST", "number": number, "padding": ""})
    return text.replace('""', f'"{"x" * (size - len(text))}"') if size else text


def segment_name(number: int, *, local: bool = False) -> str:
    """Return the name of a sealed segment, in the order of numbers."""
    return f"20260310T1200{number:02d}Z-{number:016x}{'.local' if local else ''}.jsonl"


def write_segment(place: Place, number: int, *events: str) -> Path:
    """Put a sealed segment into the spool."""
    place.spool.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = place.spool / segment_name(number)
    path.write_text("".join(f"{line}\n" for line in events), encoding="utf-8")
    return path


def nothing(_: Place) -> None:
    """Change nothing."""


@dataclass(slots=True)
class Attempt:
    """One crash, and what was found after the new start."""

    place: Place
    crashed: Run
    pending: list[str]
    """The lines that the spool had to deliver when the process was dead."""
    first: list[Request]
    """What had been sent before the new start."""
    again: list[Request]
    """What was sent after it."""
    accepted: Counter[str]
    """How often each event was accepted in all."""

    def rejected(self) -> list[dict[str, Any]]:
        """Return the dead letters."""
        return [
            json.loads(line)
            for path in sorted((self.place.root / "rejected").glob("*.jsonl"))
            for line in path.read_bytes().splitlines()
        ]

    def receipts(self) -> set[str]:
        """Return the ids of the events that left the machine, as its receipts tell."""
        return {entry["id"] for entry in self.place.ledger() if "id" in entry}

    def lost(self) -> int:
        """Return how many events the ledger says were lost."""
        return sum(entry.get("lost", 0) for entry in self.place.ledger())


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is killed: an action of the server in a prepared place.

    A writer is killed at every call, an uploader, which takes much longer, at those that change
    something.
    """

    action: str
    prepare: Callable[[Place], None] = nothing
    arguments: dict[str, object] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)
    repair: Callable[[Place], None] = nothing
    """What a person does before the new start."""
    answer: Callable[[Request, int], Answer] = lambda _, __: CREATED
    """What the endpoint says before the new start to a request that came so many times before."""

    def environ(self, place: Place) -> dict[str, str]:
        """Return the environment of every process."""
        home = place.root.parent
        return place.environ | {
            "HOME": str(home),
            "XDG_CONFIG_HOME": str(home / "config"),
            "XDG_CONFIG_DIRS": str(home / "etc"),
        }


class Crashes:
    """Makes attempts at a scenario in directories of their own, with one endpoint for all."""

    def __init__(self, server: CrashServer, endpoint: Endpoint, directory: Path) -> None:
        self._server = server
        self._endpoint = endpoint
        self._directory = directory
        self._scenarios: dict[str, Scenario] = {}
        self._exchanges: defaultdict[str, list[tuple[Request, Answer]]] = defaultdict(list)
        self._lock = threading.Lock()
        endpoint.answer = self._answer

    def everywhere(self, scenario: Scenario, check: Callable[[Attempt], None]) -> int:
        """Kill at every call that touches the telemetry root or the configuration, and check.

        Returns how many crash points there were.
        """
        whole = self._attempt(scenario, "whole", None)
        assert whole.crashed.done
        self._check(whole, check, "not killed")
        calls = calls_that_touch(whole.place.root.parent, whole.crashed.trace)
        if scenario.action == "drain":
            calls &= CHANGING | {"openat"}

        def attempt(point: Point) -> bool:
            tried = self._attempt(scenario, str(point).replace(" ", "-"), point)
            self._check(tried, check, f"killed at {point}: {tried.crashed.trace}")
            return not tried.crashed.done

        return kill_everywhere(calls, attempt)

    @staticmethod
    def _check(attempt: Attempt, check: Callable[[Attempt], None], where: str) -> None:
        try:
            check(attempt)
        except AssertionError as error:
            error.add_note(where)
            raise

    def _attempt(self, scenario: Scenario, name: str, point: Point | None) -> Attempt:
        place = Place(self._directory / name / "telemetry")
        scenario.prepare(place)
        environ = scenario.environ(place)
        self._scenarios[f"/{name}/first"] = scenario
        crashed = self._server.run(
            scenario.action,
            environ | scenario.settings,
            point=point,
            trace=point is None,
            endpoint=self._url(f"/{name}/first"),
            **scenario.arguments,
        )
        scenario.repair(place)
        pending = _pending(place)
        _age_leftovers(place)
        recovered = self._server.run(
            "recover", environ, events=[NEXT], endpoint=self._url(f"/{name}/again")
        )
        assert recovered.done
        assert recovered.returned == [NEXT, "drained"]
        with self._lock:
            exchanges = {path: list(self._exchanges[f"/{name}/{path}"]) for path in PATHS}
        first, again = ([request for request, _ in exchanges[path]] for path in PATHS)
        accepted = Counter(
            request.body.decode()
            for request, answer in exchanges["first"] + exchanges["again"]
            if answer.status == CREATED.status
        )
        return Attempt(place, crashed, pending, first, again, accepted)

    def _url(self, path: str) -> str:
        return f"http://127.0.0.1:{self._endpoint.port}{path}"

    def _answer(self, request: Request) -> Answer:
        """Answer, and remember it before the client can know: it may be killed at any time."""
        if len(request.body) < int(request.headers["Content-Length"]):
            return Answer(hang_up=True)  # it died while it sent: there is no request
        scenario = self._scenarios.get(request.path)
        with self._lock:
            before = self._exchanges[request.path]
            times = sum(earlier.body == request.body for earlier, _ in before)
            answer = scenario.answer(request, times) if scenario else CREATED
            before.append((request, answer))
        return answer


def _age_leftovers(place: Place) -> None:
    """Let the time pass after which nobody can be writing a temporary file any more."""
    for path in place.spool.glob("*.tmp"):
        modified = path.stat().st_mtime - _ABANDONED_SECONDS
        os.utime(path, (modified, modified))


def _pending(place: Place) -> list[str]:
    """Return the lines that are to be delivered, read without the help of the code under test."""
    lines = []
    for name in place.names():
        if not name.endswith(".jsonl") or ".local." in name:
            continue
        progress = place.spool / name.replace(".jsonl", ".acked")
        offset, *beyond = map(int, progress.read_text().split()) if progress.exists() else [0]
        start = 0
        for line in (place.spool / name).read_bytes().splitlines(keepends=True):
            if start >= offset and start not in beyond and line != b"\n":
                lines.append(line.removesuffix(b"\n").decode("utf-8", "surrogateescape"))
            start += len(line)
    return lines


def check_requests(attempt: Attempt) -> None:
    """Every request carries the key of its body, which is the same each time it is sent."""
    for request in attempt.first + attempt.again:
        assert request.headers["Idempotency-Key"] == hashlib.sha256(request.body).hexdigest()


def check_directory(attempt: Attempt, *left: str) -> None:
    """The spool has nothing left but its lock (and `left`), and a receipt for all that went out."""
    assert attempt.place.names() == sorted([*left, "uploader.lock"])
    gone = {hashlib.sha256(body.encode()).hexdigest() for body in attempt.accepted}
    assert attempt.receipts() >= gone
    assert heartbeat.read(attempt.place.root / "status.json") is not None


def check_delivery(attempt: Attempt, stored: list[str], attempted: list[str]) -> None:
    """All that was stored or reported is accepted, once, and nothing that nobody appended."""
    owed = {*stored, *attempt.crashed.returned, NEXT}
    assert owed <= set(attempt.accepted)
    assert set(attempt.accepted) <= {*stored, *attempted, NEXT}
    assert set(attempt.accepted.values()) == {1}
