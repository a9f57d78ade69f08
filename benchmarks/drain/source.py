"""The events that every subject has to deliver: as one file, and as a spool that writers left."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

EVENT_BYTES = 744
"""Length of an event's line without the newline: the median that Flower 1.41 makes on Linux."""

SEGMENT_BYTES = 2**20
"""Writers seal when another such event has no room: the default of `max_segment_bytes`."""

_NUMBER = "0" * 32


@dataclass(frozen=True, slots=True)
class Source:
    """So many events in a file, one a line."""

    path: Path
    events: int

    @classmethod
    def made(cls, directory: Path, events: int) -> Source:
        """Return a file of `events` events below `directory`, written unless it is there."""
        path = directory / f"{events}.jsonl"
        if not path.exists():
            with path.open("wb", buffering=2**20) as file:
                file.writelines(lines(events))
        return cls(path, events)

    def spool(self, directory: Path, *, segment_bytes: int = SEGMENT_BYTES) -> Path:
        """Lay a spool of sealed segments with these events out below `directory`; return it."""
        spool = directory / "spool"
        spool.mkdir(mode=0o700, parents=True)
        each = max(1, segment_bytes // (EVENT_BYTES + 1)) * (EVENT_BYTES + 1)
        with self.path.open("rb") as file:
            for number, content in enumerate(iter(lambda: file.read(each), b"")):
                segment = spool / f"20260101T000000Z-{number:016x}.jsonl"
                segment.write_bytes(content)
                segment.chmod(0o600)
        return spool


def lines(events: int) -> Iterator[bytes]:
    """Yield different events with their newlines, as like each other as those of one machine."""
    before, after = _event(_padding()).split(_NUMBER.encode())
    for number in range(events):
        digits = blake2b(number.to_bytes(8), digest_size=16).hexdigest()
        yield b"%b%b%b\n" % (before, digits.encode(), after)


def _padding() -> str:
    return "x" * (EVENT_BYTES - len(_event("")))


def _event(padding: str) -> bytes:
    return json.dumps(
        {
            "event_type": "RUN_SUPERLINK_LEAVE",
            "event_details": {"num-supernodes": 10, "success": True, "run-id-hash": _NUMBER},
            "context": {
                "partner": "",
                "source": "11111111-1111-4111-8111-111111111111",
                "cluster": "22222222-2222-4222-8222-222222222222",
                "date": "2026-03-10T12:00:00.123456+00:00",
                "flower": {"package_name": "flwr", "package_version": "1.41.0"},
                "hw": {"cpu_count": 2},
                "platform": {
                    "system": "Linux",
                    "release": "6.1.0-28-amd64",
                    "platform": "Linux-6.1.0-28-amd64-x86_64-with-glibc2.36",
                    "python_implementation": "CPython",
                    "python_version": "3.11.7",
                    "machine": "x86_64",
                    "architecture": ["64bit", "ELF"],
                    "version": f"#1 SMP PREEMPT_DYNAMIC Debian 6.1.119-1 (2024-11-22){padding}",
                },
            },
        }
    ).encode()
