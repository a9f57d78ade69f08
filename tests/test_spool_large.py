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
from pathlib import Path

import pytest

from telemetry_spool.segment import event_id
from tests.conftest import Place
from tests.support.events import event
from tests.support.processes import SPOOL, environment

EVENTS = int(os.environ.get("FLWR_TEST_EVENTS", "100000"))
# What a sealed segment of the usual size has.
_LINES = 1300
_MOST_KIB = 100 * 1024

LAST = event("LAST")


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Return a place with very many events in sealed segments; `LAST` is the last one."""
    place = Place(tmp_path_factory.mktemp("large") / "telemetry")
    place.spool.mkdir(parents=True, mode=0o700)
    lines = [event("RUN", details={"n": number}) for number in range(EVENTS - 1)] + [LAST]
    for start in range(0, EVENTS, _LINES):
        segment = place.spool / f"20260310T120000Z-{start:016x}.jsonl"
        segment.write_bytes(b"\n".join(lines[start : start + _LINES]) + b"\n")
    yield place
    for segment in place.sealed():
        segment.unlink()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["status", "--json"], 0, f'"events": {EVENTS},'),
        (["list", "--type", "last"], 0, event_id(LAST)[:12]),
        (["tail", "-n", "1"], 0, event_id(LAST)[:12]),
        (["tail", "--type", "NONE"], 0, ""),
        (["stats", "--json"], 0, f'"pending": {EVENTS}'),
        (["preview", "--json"], 0, f'"events": {EVENTS},'),
        (["purge", "--all", "--dry-run"], 0, f"{EVENTS:,} events"),
        (["verify"], 0, f"{EVENTS:,} lines"),
        (["show", "--raw", event_id(LAST)], 0, LAST.decode()),
        (["rm", "--dry-run", event_id(LAST)], 0, event_id(LAST)[:12]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_large_spool_is_read_in_little_memory(
    large: Place, tmp_path: Path, arguments: list[str], code: int, said: str
) -> None:
    """All of it, or as much as has to be."""
    output = tmp_path / "output"
    with output.open("wb") as stdout:
        process = subprocess.Popen(
            [sys.executable, "-m", SPOOL, *arguments],
            env=environment(large.environ),
            stdout=stdout,
            stderr=subprocess.STDOUT,
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)

    assert process.returncode == code
    assert said in output.read_text()
    assert usage.ru_maxrss < _MOST_KIB


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
