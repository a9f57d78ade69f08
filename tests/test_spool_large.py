"""Every command that reads all of a spool, on a large one: it ends, right, in little memory.

On a million events, which takes some minutes and 400 MB:
FLWR_TEST_EVENTS=1000000 python -m pytest tests/test_spool_large.py
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from telemetry_spool.segment import event_id
from tests.conftest import Place
from tests.support.events import event
from tests.support.processes import SPOOL, environment

EVENTS = int(os.environ.get("FLWR_TEST_EVENTS", "100000"))
# What a sealed segment of the usual size has.
_LINES = 1300
_MOST_KIB = 100 * 1024

# A process starts with the peak of the one that it was forked from: this one is small.
MEASURE = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
"""

LAST = event("LAST")


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Return a place with very many events in sealed segments; `LAST` is the last one."""
    place = Place(tmp_path_factory.mktemp("large") / "telemetry")
    place.spool.mkdir(parents=True, mode=0o700)
    for start in range(0, EVENTS, _LINES):
        numbers = range(start, min(start + _LINES, EVENTS - 1))
        lines = [event("RUN", details={"n": number}) for number in numbers]
        if start + _LINES >= EVENTS:
            lines.append(LAST)
        segment = place.spool / f"20260310T120000Z-{start:016x}.jsonl"
        segment.write_bytes(b"\n".join(lines) + b"\n")
    yield place
    for segment in place.sealed():
        segment.unlink()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["status", "--json"], f'"events": {EVENTS},'),
        (["list", "--type", "last"], event_id(LAST)[:12]),
        (["tail", "-n", "1"], event_id(LAST)[:12]),
        (["tail", "--type", "NONE"], ""),
        (["stats", "--json"], f'"pending": {EVENTS}'),
        (["preview", "--json"], f'"events": {EVENTS},'),
        (["purge", "--all", "--dry-run"], f"{EVENTS:,} events"),
        (["verify"], f"{EVENTS:,} lines"),
        (["show", "--raw", event_id(LAST)], LAST.decode()),
        (["rm", "--dry-run", event_id(LAST)], event_id(LAST)[:12]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_large_spool_is_read_in_little_memory(
    large: Place, arguments: list[str], said: str
) -> None:
    """All of it, or as much as has to be."""
    ended = subprocess.run(
        [sys.executable, "-c", MEASURE, sys.executable, "-m", SPOOL, *arguments],
        env=environment(large.environ),
        check=True,
        capture_output=True,
        text=True,
    )

    assert said in ended.stdout
    assert int(ended.stderr) < _MOST_KIB


def test_all_of_a_large_spool_can_be_deleted(large: Place) -> None:
    """The last test here: afterwards nothing is left."""
    ended = subprocess.run(
        [sys.executable, "-m", SPOOL, "purge", "--all", "--yes", "--json"],
        env=environment(large.environ),
        check=True,
        capture_output=True,
    )

    assert json.loads(ended.stdout)["removed"] == EVENTS
    assert large.lines() == []
