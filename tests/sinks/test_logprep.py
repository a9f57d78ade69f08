"""Events get into Logprep, and out of it, as docs/sinks.md says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from telemetry_spool.segment import event_id
from tests.conftest import Place
from tests.sinks.batches import HARD_TO_CARRY, RUN, post
from tests.sinks.logprep import ADDRESS, RECIPE, Logprep, logprep
from tests.sinks.visitor import Visitor
from tests.support.environments import Environment, NotProvisioned, another
from tests.support.events import event

AS_FLOWER_WRITES = [line for line in HARD_TO_CARRY if json.dumps(json.loads(line)).encode() == line]


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


@pytest.fixture
def visitor(running: Logprep, place: Place) -> Visitor:
    """Return somebody who has configured the uploader as the page says."""
    return Visitor(place, RECIPE, ADDRESS, running.url)


def test_events_arrive_once_each_as_the_lines_that_they_were(
    visitor: Visitor, running: Logprep
) -> None:
    """A batch sent twice, as after a crash; the page's command shows each event once."""
    for _ in range(2):
        done = visitor.upload(*AS_FLOWER_WRITES)
        assert (done.code, done.stderr) == (0, "")
    running.wait_for(2 * len(AS_FLOWER_WRITES))
    assert sorted(running.lines()) == sorted(AS_FLOWER_WRITES)
    assert len(AS_FLOWER_WRITES) >= 4
    assert visitor.receipts == {event_id(line): 2 for line in AS_FLOWER_WRITES}


def test_nothing_is_taken_of_a_batch_that_is_refused(visitor: Visitor, running: Logprep) -> None:
    """So the others of a bad event arrive once each when they are sent in halves."""
    good = [event(RUN, details={"n": n}) for n in range(2)]
    unreadable = b'{"event_type": "E", "number": 1e999}'
    assert post(visitor.settings, [good[0], unreadable, good[1]]).status_code == 400
    assert post(visitor.settings, [unreadable]).status_code == 400
    answer = post(visitor.settings, good)
    assert (answer.status_code, answer.content) == (200, b"")
    running.wait_for(len(good))
    assert running.lines() == good


def test_a_compression_that_it_does_not_know_looks_like_bad_events(visitor: Visitor) -> None:
    """The page warns of zstd: all of a batch would be set aside."""
    settings = visitor.settings | {"compression": "zstd"}
    assert post(settings, [b"not decompressed"]).status_code == 400
