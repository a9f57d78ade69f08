"""Logprep takes batches as docs/sinks.md says."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from telemetry_spool.segment import event_id
from tests.sinks.batches import HARD_TO_CARRY, RUN, post
from tests.sinks.loopback import answers, free_port
from tests.sinks.page import recipe
from tests.support.environments import Environment, NotProvisioned, another
from tests.support.events import event
from tests.support.processes import poll

RECIPE = recipe("Logprep")
ADDRESS = "http://127.0.0.1:9000"
RUN_IT, READ_IT = RECIPE.blocks("sh")

AS_FLOWER_WRITES = [line for line in HARD_TO_CARRY if json.dumps(json.loads(line)) == line.decode()]


@dataclass(frozen=True, slots=True)
class Logprep:
    """A running Logprep and the directory that it writes to."""

    address: str
    directory: Path

    def settings(self, **changed: str) -> dict[str, Any]:
        """Return the uploader's settings of the page, for this Logprep."""
        settings = RECIPE.settings | changed
        return settings | {"endpoint": settings["endpoint"].replace(ADDRESS, self.address)}

    def lines(self) -> list[bytes]:
        """Return what the page's command prints of what has been written."""
        if not (self.directory / "events.jsonl").exists():
            return []
        read = subprocess.run(
            ["bash", "-c", READ_IT], cwd=self.directory, check=True, capture_output=True
        )
        return read.stdout.splitlines()

    def written(self) -> int:
        """Return how many lines have been written, duplicates among them."""
        try:
            return (self.directory / "events.jsonl").read_bytes().count(b"\n")
        except FileNotFoundError:
            return 0


@contextmanager
def logprep(environment: Environment, directory: Path) -> Iterator[Logprep]:
    """Run it with the configuration of the page, on a port of its own."""
    port = free_port()
    configuration = re.sub(r"port: \d+", f"port: {port}", RECIPE.block("yaml"))
    (directory / "pipeline.yml").write_text(configuration, "utf-8")
    with (
        (directory / "log").open("wb") as log,
        subprocess.Popen(
            ["bash", "-c", f"exec {RUN_IT}"],
            cwd=directory,
            env={**os.environ, "PATH": f"{environment.bin}:{os.environ['PATH']}"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        ) as process,
    ):
        started = Logprep(f"http://127.0.0.1:{port}", directory)
        try:
            poll(lambda: answers(started.address) or process.poll() is not None, "Logprep")
            assert process.poll() is None, (directory / "log").read_text("utf-8", "replace")
            yield started
        finally:
            os.killpg(process.pid, signal.SIGKILL)  # asked to stop, it takes 7 s


@pytest.fixture(scope="module")
def environment() -> Environment:
    """Return an environment with Logprep."""
    try:
        return another("logprep")
    except NotProvisioned as error:
        pytest.skip(f"Logprep cannot be installed: {error}")


@pytest.fixture
def running(environment: Environment, tmp_path: Path) -> Iterator[Logprep]:
    """Return a running Logprep."""
    with logprep(environment, tmp_path) as started:
        yield started


def test_events_arrive_once_each_as_the_lines_that_they_were(running: Logprep) -> None:
    """A batch sent twice, as after a crash; the page's command shows each event once."""
    answer = post(running.settings(), AS_FLOWER_WRITES)
    assert (answer.status_code, answer.content) == (200, b"")
    assert post(running.settings(), AS_FLOWER_WRITES).status_code == 200
    twice = 2 * len(AS_FLOWER_WRITES)
    poll(lambda: running.written() == twice, "both batches in the file")
    assert {event_id(line): line for line in running.lines()} == {
        event_id(line): line for line in AS_FLOWER_WRITES
    }
    assert len(running.lines()) == len(AS_FLOWER_WRITES) >= 4


def test_nothing_is_taken_of_a_batch_that_is_refused(running: Logprep) -> None:
    """So the others of a bad event arrive once each when they are sent in halves."""
    good = [event(RUN, details={"n": n}) for n in range(2)]
    unreadable = b'{"event_type": "E", "number": 1e999}'
    assert post(running.settings(), [good[0], unreadable, good[1]]).status_code == 400
    assert post(running.settings(), [unreadable]).status_code == 400
    assert post(running.settings(), good).status_code == 200
    poll(lambda: running.written() >= len(good), "the good ones")
    assert running.lines() == sorted(good)
    assert running.written() == len(good)


def test_a_compression_that_it_does_not_know_looks_like_bad_events(running: Logprep) -> None:
    """The page warns of zstd: all of a batch would be set aside."""
    assert post(running.settings(compression="zstd"), [b"not decompressed"]).status_code == 400
