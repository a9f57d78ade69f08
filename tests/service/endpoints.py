"""Endpoints inside a machine: a collector that can be away, and one that never answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.service.machine import PYTHON, UPLOADER, Machine, wait_until

_READ = """
import contextlib, json, sqlite3, sys
with contextlib.closing(sqlite3.connect(sys.argv[1])) as connection:
    rows = connection.execute("SELECT body, deliveries FROM events ORDER BY received_at")
    print(json.dumps([[body.decode(), deliveries] for body, deliveries in rows]))
"""

_SILENCE = """
import pathlib, socket, sys, threading
with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as server:
    connection, _ = server.accept()
    connection.recv(1)
    pathlib.Path(sys.argv[2]).touch()
    threading.Event().wait()
"""


@dataclass(frozen=True, slots=True)
class Collector:
    """`telemetry-uploader collect` on a port of a machine, as a unit of its own."""

    machine: Machine
    port: int

    @property
    def url(self) -> str:
        """Where events go."""
        return f"http://127.0.0.1:{self.port}/api/v1/event"

    @property
    def _unit(self) -> str:
        return f"collector-{self.port}.service"

    @property
    def _database(self) -> str:
        return f"/var/tmp/events-{self.port}.db"

    def start(self) -> None:
        """Listen, with what was collected before."""
        self.machine.run(
            *("systemd-run", "--quiet", "--collect", f"--unit={self._unit}"),
            *(UPLOADER, "collect", "--port", str(self.port), "--database", self._database),
        )
        health = f"import urllib.request as r; r.urlopen('http://127.0.0.1:{self.port}/healthz')"
        wait_until(
            lambda: self.machine.attempt(PYTHON, "-c", health).code == 0, "the collector listens"
        )

    def stop(self) -> None:
        """Refuse connections from now on."""
        self.machine.attempt("systemctl", "stop", self._unit)

    def deliveries(self) -> list[tuple[str, int]]:
        """Return the types of the events that came, and how often each one did."""
        rows = json.loads(self.machine.run(PYTHON, "-c", _READ, self._database))
        return [(json.loads(body)["event_type"], count) for body, count in rows]

    def wait_for(self, event_type: str) -> None:
        """Wait until an event of this type has come."""
        wait_until(lambda: event_type in dict(self.deliveries()), f"{event_type} arrives")


@contextmanager
def silent(machine: Machine, port: int) -> Iterator[str]:
    """Listen without ever answering; yield the file that is there once a request has come."""
    sign = f"/var/tmp/request-on-{port}"
    unit = f"silent-{port}.service"
    (machine.root / sign.lstrip("/")).unlink(missing_ok=True)
    machine.run(
        *("systemd-run", "--quiet", "--collect", f"--unit={unit}"),
        *(PYTHON, "-c", _SILENCE, str(port), sign),
    )
    try:
        yield sign
    finally:
        machine.attempt("systemctl", "stop", unit)
