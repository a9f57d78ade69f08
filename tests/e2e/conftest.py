"""A site for end-to-end tests: a telemetry root, an endpoint or collector, and our commands."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from telemetry_spool.segment import event_id
from tests.conftest import Place
from tests.support.endpoint import Endpoint
from tests.support.heartbeats import heartbeat
from tests.support.processes import SPOOL, UPLOADER, Ended, Running, command, poll, running


def line(number: int) -> bytes:
    """Return an event of about the size of Flower's, different for each number."""
    event = {
        "event_type": "CLIENTAPP_ENTER",
        "event_details": {"number": number, "padding": "x" * 200},
        "context": {
            "date": f"2026-03-10T12:00:00.{number:06d}+00:00",
            "flower": {"package_name": "flwr", "package_version": "1.41.0"},
        },
    }
    return json.dumps(event).encode()


def lines(numbers: range) -> list[bytes]:
    """Return the events with these numbers."""
    return [line(number) for number in numbers]


class Site:
    """A telemetry root and what runs on it."""

    def __init__(self, place: Place, endpoint: str, **settings: object) -> None:
        """Send to `endpoint`; `settings` become environment variables, `concurrency=1` for one."""
        self.place = place
        self.environ = place.environ | {"FLWR_TELEMETRY_ENDPOINT": endpoint}
        self.set(**settings)

    def set(self, **settings: object) -> None:
        """Set settings for the processes started from now on."""
        for name, value in settings.items():
            self.environ[f"FLWR_TELEMETRY_{name.upper()}"] = str(value)

    def record(self, events: list[bytes], *, local: bool = False) -> None:
        """Append events as a Flower process would."""
        spool = self.place.open(max_spool_bytes="1GiB")
        for event in events:
            spool.append(event, local=local)

    def daemon(self, *arguments: str) -> AbstractContextManager[Running]:
        """Run the daemon."""
        return running(UPLOADER, "run", *arguments, environ=self.environ)

    def uploader(self, *arguments: str) -> Ended:
        """Run another command of the uploader to its end."""
        return command(UPLOADER, *arguments, environ=self.environ)

    def telemetry_spool(self, *arguments: str) -> Ended:
        """Run a command of `telemetry-spool` to its end."""
        return command(SPOOL, *arguments, environ=self.environ)

    def heartbeat(self) -> dict[str, Any]:
        """Return what the uploader said last; nothing if it has not said anything."""
        return heartbeat(self.place.root)

    def wait_until(self, activity: str) -> None:
        """Wait until the daemon says that it does this."""
        poll(lambda: self.heartbeat().get("activity") == activity, f"the activity {activity!r}")

    def wait_until_drained(self) -> None:
        """Wait until nothing is left in the spool but the lock."""
        poll(lambda: self.place.names() == ["uploader.lock"], "an empty spool")

    def receipts(self) -> Counter[str]:
        """Return how many receipts there are for each event's id."""
        return Counter(record["id"] for record in self.place.ledger() if "id" in record)

    def rejected(self) -> list[dict[str, Any]]:
        """Return the dead letters."""
        return [
            json.loads(text)
            for path in sorted((self.place.root / "rejected").glob("*.jsonl"))
            for text in path.read_bytes().splitlines()
        ]


def bodies(endpoint: Endpoint) -> Counter[bytes]:
    """Return how often each body was accepted."""
    return Counter(request.body for request in endpoint.accepted)


def ids(events: list[bytes]) -> Counter[str]:
    """Return the ids of these events, once each."""
    return Counter(event_id(event) for event in events)


@pytest.fixture
def site(place: Place, endpoint: Endpoint) -> Site:
    """Return a site that sends to the endpoint and looks at its spool often."""
    return Site(place, endpoint.url, rescan_interval=0.2)


class Collected:
    """The events in a collector's database, seen from outside."""

    def __init__(self, database: Path) -> None:
        self._database = database

    def count(self) -> int:
        """Return how many there are."""
        return int(self._query("SELECT count(*) FROM events")[0][0])

    def deliveries(self) -> dict[bytes, int]:
        """Return how often each body came."""
        return dict(self._query("SELECT body, deliveries FROM events"))

    def keys(self) -> Counter[str]:
        """Return the keys, once each."""
        return Counter(key for (key,) in self._query("SELECT key FROM events"))

    def _query(self, query: str) -> list[Any]:
        with closing(sqlite3.connect(self._database, timeout=30)) as database:
            return list(database.execute(query))


@contextmanager
def collecting(database: Path) -> Iterator[tuple[str, Collected]]:
    """Run the collector; yield its URL and what it has."""
    arguments = ("collect", "--port", "0", "--database", str(database))
    with running(UPLOADER, *arguments, environ={}) as collector:
        yield collector.first_line(), Collected(database)
        assert collector.stop() == 0
        assert collector.stderr == ""
