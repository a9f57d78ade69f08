"""Compare what was spooled with what arrived, without any of the project's own code."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_ARRIVALS = "SELECT key, body, received_at, deliveries FROM events ORDER BY received_at, key"


@dataclass(frozen=True, slots=True)
class Arrival:
    """A row of the collector: `Idempotency-Key` and body of a request, and how often it came."""

    key: str
    body: bytes
    received_at: str
    deliveries: int


def event_id(line: bytes) -> str:
    """Return the id that an event must have: the SHA-256 of its line."""
    return hashlib.sha256(line).hexdigest()


def segments(spool: Path) -> list[Path]:
    """Return the files in a spool directory that have events in them."""
    return sorted(spool.glob("*.jsonl"))


def spooled_lines(spool: Path) -> list[bytes]:
    """Return every event in a spool directory."""
    return [line for file in segments(spool) for line in file.read_bytes().splitlines()]


def arrivals(database: Path) -> list[Arrival]:
    """Return every event in the collector's database."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        rows = connection.execute(_ARRIVALS)
        return [Arrival(key, bytes(body), came, deliveries) for key, body, came, deliveries in rows]


def receipts(directory: Path) -> list[dict[str, Any]]:
    """Return every line of the receipts: what left this machine, and what was lost."""
    return [
        json.loads(line)
        for file in sorted(directory.glob("*.jsonl"))
        for line in file.read_bytes().splitlines()
    ]


def event_types(lines: Iterable[bytes]) -> Counter[str]:
    """Count events by type."""
    return Counter(json.loads(line)["event_type"] for line in lines)


def differences(lines: Sequence[bytes], arrived: Sequence[Arrival]) -> list[str]:
    """Say what is missing, foreign, doubled or altered; nothing if exactly `lines` arrived."""
    sent = Counter(event_id(line) for line in lines)
    came = Counter(event_id(row.body) for row in arrived)
    return [
        *(f"event {key[:12]} did not arrive" for key in sent - came),
        *(f"event {key[:12]} arrived without having been spooled" for key in came - sent),
        *(f"event {row.key[:12]} has another body" for row in arrived if not _fits(row)),
        *(f"event {row.key[:12]} came twice" for row in arrived if row.deliveries != 1),
    ]


def _fits(row: Arrival) -> bool:
    return row.key == event_id(row.body)


def receipt_differences(
    lines: Sequence[bytes], receipts: Sequence[Mapping[str, Any]], endpoint: str
) -> list[str]:
    """Say where the receipts are not one for each of `lines`, to `endpoint`."""
    sent = Counter(event_id(line) for line in lines)
    noted = Counter(str(receipt.get("id")) for receipt in receipts)
    return [
        *(f"event {key[:12]} has no receipt" for key in sent - noted),
        *(f"receipt {key[:12]} is for no spooled event" for key in noted - sent),
        *(
            f"receipt {receipt.get('id', '')[:12]} names {receipt.get('endpoint')}"
            for receipt in receipts
            if receipt.get("endpoint") != endpoint
        ),
    ]
