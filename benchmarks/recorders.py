"""The ways of recording an event that are measured side by side, each as one function to call.

Every one of them dates and serialises the same payload. The queues get the configuration in which
they are fastest without giving up what `event()` gives: the event survives the death of the process
when the call returns.
"""

from __future__ import annotations

import json
import os
import sqlite3
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from fcntl import LOCK_EX, flock
from importlib import import_module
from pathlib import Path
from typing import Any

Record = Callable[[], object]

DETAILS = {"num-supernodes": 10, "success": True, "run-id-hash": "0" * 32}

PACKAGES = {
    "litequeue": "litequeue",
    "persist-queue": "persistqueue",
    "dirq": "dirq",
    "azure": "azure.monitor.opentelemetry.exporter",
}
"""The package that each recorder from PyPI imports."""


def event(_: Path) -> Record:
    """Return what records one event into the spool."""
    from telemetry_spool import event as record

    return lambda: record("RUN_SUPERLINK_LEAVE", DETAILS)


def floor(root: Path) -> Record:
    """Return what serialises an event and writes it to a descriptor that stays open."""
    payload = _payload(root)
    descriptor = os.open(root / "floor", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    return lambda: os.write(descriptor, payload().encode() + b"\n")


def plain(root: Path) -> Record:
    """Return the least that processes sharing a file need: open, lock, write, close."""
    payload = _payload(root)
    path, flags = str(root / "plain"), os.O_WRONLY | os.O_APPEND | os.O_CREAT

    def record() -> None:
        line = payload().encode() + b"\n"
        descriptor = os.open(path, flags, 0o600)
        flock(descriptor, LOCK_EX)
        os.write(descriptor, line)
        os.close(descriptor)

    return record


def sqlite(root: Path) -> Record:
    """Return one insert a commit into a table, in WAL mode with `synchronous=NORMAL`."""
    payload = _payload(root)
    database = sqlite3.connect(root / "events.db", isolation_level=None)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=NORMAL")
    database.execute("CREATE TABLE IF NOT EXISTS events (id INTEGER PRIMARY KEY, line TEXT)")
    return lambda: database.execute("INSERT INTO events (line) VALUES (?)", (payload(),))


def litequeue(root: Path) -> Record:
    """Return LiteQueue's `put`; it sets WAL and `synchronous=NORMAL` itself."""
    payload = _payload(root)
    queue = import_module("litequeue").LiteQueue(str(root / "lite.db"))
    return lambda: queue.put(payload())


def persist_queue(root: Path) -> Record:
    """Return the `put` of a `SQLiteQueue`, in WAL mode, with `synchronous=NORMAL`."""
    payload = _payload(root)
    queue = import_module("persistqueue").SQLiteQueue(str(root / "persist"), auto_commit=True)
    vars(queue)["_putter"].execute("PRAGMA synchronous=NORMAL")
    return lambda: queue.put(payload())


def dirq(root: Path) -> Record:
    """Return the `add` of a `QueueSimple`: a file an event."""
    payload = _payload(root)
    queue = import_module("dirq.QueueSimple").QueueSimple(str(root / "dirq"))
    return lambda: queue.add(payload())


def azure(root: Path) -> Record:
    """Return the `put` of the Azure exporter's storage: a file a call, no lease, no upkeep."""
    payload = _payload(root)
    module: Any = import_module("azure.monitor.opentelemetry.exporter._storage")
    storage = module.LocalFileStorage(
        str(root / "azure"), max_size=2**30, maintenance_period=86_400, lease_period=0
    )

    def record() -> None:
        said = storage.put([payload()])
        if not str(said).endswith("SUCCESS"):
            raise OSError(said)

    return record


RECORDERS: Mapping[str, Callable[[Path], Record]] = {
    "event": event,
    "floor": floor,
    "plain": plain,
    "sqlite": sqlite,
    "litequeue": litequeue,
    "persist-queue": persist_queue,
    "dirq": dirq,
    "azure": azure,
}


def _payload(root: Path) -> Callable[[], str]:
    """Return what serialises the payload of an event, as Flower would, with the date of now."""
    event(root)()
    spool = Path(os.environ["FLWR_TELEMETRY_DIR"]) / "spool"
    (segment,) = spool.glob("*.active.jsonl")
    payload = json.loads(segment.read_bytes().splitlines()[-1])

    def text() -> str:
        payload["context"]["date"] = datetime.now(tz=UTC).isoformat()
        return json.dumps(payload)

    return text


def serve(name: str, root: Path, backlog: int) -> None:
    """Record as many events as each line that comes in says; answer with the nanoseconds of each.

    Before the first one, record `backlog` events.
    """
    from time import perf_counter_ns

    record = RECORDERS[name](root)
    for _ in range(backlog):
        record()
    for line in sys.stdin:
        times = []
        for _ in range(int(line)):
            begin = perf_counter_ns()
            record()
            times.append(perf_counter_ns() - begin)
        sys.stdout.write(json.dumps(times) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    serve(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
