"""Drain a spool once, in this process, and say what became of every line."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections import Counter
from dataclasses import dataclass

from tests.conftest import DEADLINE_SECONDS, Place
from tests.support.endpoint import Endpoint
from uploader import config, once
from uploader.engine import Engine
from uploader.once import Ending


@dataclass(frozen=True, slots=True)
class Drained:
    """What a single run did: the bodies that the endpoint took, the lines that were set aside."""

    ending: Ending
    delivered: Counter[bytes]
    aside: Counter[bytes]
    reasons: Counter[str]


def drain(place: Place, endpoint: Endpoint, **settings: object) -> Drained:
    """Run an uploader once; one that does not come to an end is stopped, and the test fails."""
    flags = {"endpoint": endpoint.url, "rescan_interval": 3600, **settings}
    loaded = config.load(flags, place.environ)
    stop = threading.Timer(DEADLINE_SECONDS, os.kill, (os.getpid(), signal.SIGTERM))
    stop.start()
    before, accepted = len(endpoint.accepted), 0

    def count(engine: Engine) -> None:
        nonlocal accepted
        accepted = engine.counters.accepted

    result = once.drain(loaded, 0.1, count)
    stop.cancel()
    assert result.reason != "stopped", "the uploader did not come to an end"
    assert endpoint.wait_for(before + accepted, accepted=True)
    letters = dead_letters(place)
    return Drained(
        result.ending,
        Counter(request.body for request in endpoint.accepted),
        Counter(line for line, _ in letters),
        Counter(reason for _, reason in letters),
    )


def dead_letters(place: Place) -> list[tuple[bytes, str]]:
    """Return the exact bytes of every line that was set aside, and the reason."""
    letters = [
        json.loads(line)
        for path in sorted((place.root / "rejected").glob("*.jsonl"))
        for line in path.read_bytes().splitlines()
    ]
    return [(exact_bytes(letter), str(letter["reason"])) for letter in letters]


def exact_bytes(letter: dict[str, object]) -> bytes:
    """Return the line of a dead letter as the design says that it can be had again."""
    if "event" in letter:
        return json.dumps(letter["event"]).encode()
    return os.fsencode(str(letter["raw"]))


def segment_name(number: int) -> str:
    """Return the name of the sealed segment with this number, in the order of time."""
    return f"20260310T120000Z-{number:016x}.jsonl"


def seal(place: Place, number: int, content: bytes) -> None:
    """Put a sealed segment into the spool."""
    place.spool.mkdir(mode=0o700, parents=True, exist_ok=True)
    (place.spool / segment_name(number)).write_bytes(content)


def event(number: int, more: str = "") -> bytes:
    """Return the line of a small event."""
    return f'{{"event_type": "E", "event_details": {{"n": {number}{more}}}}}'.encode()


def is_event(line: bytes) -> bool:
    """Tell whether a line is one JSON object in UTF-8."""
    try:
        return isinstance(json.loads(line.decode()), dict)
    except (ValueError, RecursionError):
        return False
