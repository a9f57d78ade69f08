"""Rows of a table: what comes over the wire, and what it must leave."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path

from tests.faults.network_peer import Peer, Script
from tests.faults.network_uploader import TRANSPORTS, Stage
from tests.faults.table import Fault


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
    a part, in the words of `requests`. `waits` are the least and the most seconds until the next
    attempt. `status` is that of the dead letters. `accepted_once` is for endpoints that count.
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
    transport: str = "requests"

    @property
    def name(self) -> str:
        """The row's name in the list of tests."""
        what = self.fault.what.replace(",", "").replace(":", "").replace(" ", "-")
        return f"{what}-{self.transport}"


def with_both(rows: Iterable[Row]) -> list[Row]:
    """Return every row once for each library that can carry requests."""
    return [replace(row, transport=transport) for row in rows for transport in TRANSPORTS]


def fault(what: str, then: str) -> Fault:
    """Return a fault of the network."""
    return Fault("network", what, then)
