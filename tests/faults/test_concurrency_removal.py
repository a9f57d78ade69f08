"""Many at once: a person deletes and releases while an uploader sends and programs record."""

from __future__ import annotations

import hashlib
import threading
from collections import Counter

from telemetry_spool import deletion
from telemetry_spool.entries import SPOOLED
from telemetry_spool.paths import Directories
from telemetry_spool.releasing import release_events
from telemetry_spool.segment import event_id
from tests.conftest import Place
from tests.faults.disk_daemon import daemon
from tests.faults.table import survives
from tests.support.endpoint import Endpoint
from tests.support.events import event
from tests.support.processes import poll

EVENTS = 600


@survives(
    "concurrency",
    "`telemetry-spool purge` and `send`, again and again, beside an uploader and a writer",
    "what was not deleted arrives; what was, does not come back",
)
def test_deleting_beside_an_uploader_loses_nothing_else(place: Place) -> None:
    """Each event that goes was sent before or deleted; a request in flight may be sent again."""
    stay = [event("STAY", details={"n": number}) for number in range(EVENTS)]
    go = [event("GO", details={"n": number}) for number in range(EVENTS)]
    private = event("PRIVATE")
    directories = Directories(place.root, place.spool)

    def write() -> None:
        spool = place.open(max_segment_bytes=8192)
        for pair in zip(stay, go, strict=True):
            for line in pair:
                spool.append(line)

    def purge() -> int:
        done = deletion.delete(directories, SPOOLED, lambda each: each.event_type == "GO", "test")
        return done.events

    place.open().append(private, local=True)
    with Endpoint(latency=0.005) as endpoint:
        with daemon(place, endpoint, rescan_interval=0.2):
            writer = threading.Thread(target=write)
            writer.start()
            removed = purge()
            release_events(directories, {event_id(private): private})
            while writer.is_alive():
                removed += purge()
            writer.join()
            removed += purge()
            poll(lambda: not any(name.endswith(".jsonl") for name in place.names()), "the end")
        accepted = Counter(request.body for request in endpoint.accepted)
        keys = {request.headers["Idempotency-Key"] for request in endpoint.accepted}

    assert set(accepted) >= {*stay, private}
    assert set(accepted) <= {*stay, *go, private}
    assert removed > 0
    assert removed + sum(accepted[line] > 0 for line in go) >= EVENTS
    assert keys == {hashlib.sha256(body).hexdigest() for body in accepted}
    assert place.lines() == []
