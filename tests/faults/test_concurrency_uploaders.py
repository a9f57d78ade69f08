"""Many at once: writers against sealing and draining, uploaders against each other and a user."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter

from tests.conftest import DEADLINE_SECONDS, Place
from tests.faults.data_drain import drain, event, seal, segment_name
from tests.faults.disk_daemon import daemon, start
from tests.faults.table import survives
from tests.support.endpoint import CREATED, Answer, Endpoint, Request
from uploader.once import Ending

PROCESSES, THREADS, EVENTS = 10, 10, 20

WRITE = """
import sys, threading
from telemetry_spool import event
_, process, threads, events = map(int, ["0", *sys.argv[1:]])
def record(thread):
    for number in range(events):
        event("E", {"from": [process, thread, number], "x": "x" * 200})
writers = [threading.Thread(target=record, args=(thread,)) for thread in range(threads)]
for writer in writers:
    writer.start()
for writer in writers:
    writer.join()
"""


@survives(
    "concurrency",
    "a hundred writers against sealing and draining of tiny segments",
    "every event arrives exactly once",
)
def test_a_hundred_writers_lose_nothing(place: Place) -> None:
    """Each event of each thread of each process, while writers and daemon seal and delete."""
    total = PROCESSES * THREADS * EVENTS
    environ = os.environ | place.environ | {"FLWR_TELEMETRY_MAX_SEGMENT_BYTES": "4096"}

    with Endpoint() as endpoint, daemon(place, endpoint, rescan_interval=0.1):
        writers = [
            subprocess.Popen(
                [sys.executable, "-c", WRITE, str(number), str(THREADS), str(EVENTS)], env=environ
            )
            for number in range(PROCESSES)
        ]
        assert [writer.wait(DEADLINE_SECONDS) for writer in writers] == [0] * PROCESSES
        assert endpoint.wait_for(total, accepted=True, seconds=DEADLINE_SECONDS)

    origins = Counter(
        tuple(json.loads(request.body)["event_details"]["from"]) for request in endpoint.accepted
    )
    assert origins == Counter(
        (process, thread, number)
        for process in range(PROCESSES)
        for thread in range(THREADS)
        for number in range(EVENTS)
    )
    with Endpoint() as endpoint:
        assert drain(place, endpoint).delivered == Counter()
    assert place.lines() == []


@survives(
    "concurrency", "several uploaders on one spool", "one drains it, every event arrives once"
)
def test_uploaders_do_not_send_what_another_sends(place: Place) -> None:
    """Single runs at the same time end with "drained" or with "kept"."""
    for number in range(20):
        seal(place, number, event(number) + b"\n")

    with Endpoint(latency=0.02) as endpoint:
        runs = [start(place, endpoint, "once", concurrency=1) for _ in range(4)]
        codes = {run.wait(DEADLINE_SECONDS) for run in runs}

    assert codes <= {0, os.EX_TEMPFAIL}
    assert 0 in codes
    assert Counter(request.body for request in endpoint.requests) == Counter(map(event, range(20)))


@survives(
    "concurrency", "the uploader is killed beside another one", "that one takes over and goes on"
)
def test_an_uploader_takes_over_from_a_dead_one(place: Place) -> None:
    """The lock goes with the process, however it ends."""
    with Endpoint() as endpoint:
        first = start(place, endpoint, "run", rescan_interval=0.2)
        place.open().append(event(1))
        assert endpoint.wait_for(1, accepted=True)
        with daemon(place, endpoint, rescan_interval=0.2):
            first.send_signal(signal.SIGKILL)
            assert first.wait(DEADLINE_SECONDS) == -signal.SIGKILL
            place.open().append(event(2))
            assert endpoint.wait_for(2, accepted=True)

    # The first may have died before it had deleted what it had sent: then that is sent again.
    assert {request.body for request in endpoint.accepted} == {event(1), event(2)}


@survives(
    "concurrency",
    "a user deletes segments under the uploader",
    "what was deleted is not sent, the rest is",
)
def test_what_a_user_deletes_is_not_sent(place: Place) -> None:
    """Segments that wait, and the rest of the one that is being sent."""
    for number in range(4):
        seal(place, number, event(number) + b"\n" + event(10 + number) + b"\n")

    def delete(request: Request) -> Answer:
        if request.body == event(1):
            for number in (1, 2):
                (place.spool / segment_name(number)).unlink()
            return Answer(delay=0.05)  # one look is for the requests of a millisecond
        return CREATED

    with Endpoint(delete) as endpoint:
        drained = drain(place, endpoint, concurrency=1)

    assert drained.ending is Ending.DRAINED
    assert drained.delivered == Counter(map(event, (0, 10, 1, 3, 13)))
    assert place.names() == ["uploader.lock"]


@survives(
    "concurrency",
    "an event comes while the last answer of a segment is under way",
    "it is sent next, without a rescan",
)
def test_an_event_beside_the_last_answer_is_not_forgotten(place: Place) -> None:
    """The answer waits until the daemon has been told of the new event."""
    with Endpoint() as endpoint, daemon(place, endpoint, rescan_interval=3600):
        place.open().append(event(0))
        assert endpoint.wait_for(1, accepted=True)

        def append_and_wait(request: Request) -> Answer:
            if request.body == event(1):
                place.open().append(event(2))
                return Answer(delay=1.0)  # twice as long as the watcher takes to tell
            return CREATED

        endpoint.answer = append_and_wait
        place.open().append(event(1))
        assert endpoint.wait_for(3, accepted=True)
