"""What a person decides about single events holds beside a daemon and beside writers."""

from __future__ import annotations

import os
import threading
from collections import Counter

from telemetry_spool.consent import Mode, choose
from telemetry_spool.paths import mode_file
from telemetry_spool.segment import event_id
from tests.e2e.conftest import Site, bodies, lines
from tests.support.endpoint import CREATED, Answer, Endpoint
from tests.support.events import event
from tests.support.processes import poll

EVENTS = lines(range(12))
DOWN = Answer(503)


def decide(mode: Mode) -> None:
    """Write the mode file, as `telemetry-spool on|local|off` does."""
    path = mode_file()
    assert path is not None
    choose(path, mode)


def lines_left(site: Site) -> list[bytes]:
    """Return the events that are still in the spool, sorted."""
    return sorted(site.place.lines())


def test_one_event_of_mode_local_can_be_sent(site: Site, endpoint: Endpoint) -> None:
    """That one and no other; the mode stays what it is, and the daemon runs already."""
    decide(Mode.LOCAL)
    before = event("RECORDED_WHILE_ON")
    site.record([before])
    site.record(EVENTS, local=True)
    with site.daemon() as daemon:
        site.wait_until("paused")

        sent = site.telemetry_spool("send", "--yes", event_id(EVENTS[3])[:16])

        assert (sent.code, sent.stderr) == (0, "")
        assert '"number": 3' in sent.stdout
        assert sent.stdout.splitlines()[-1].startswith(f"The uploader (pid {daemon.pid} on ")
        assert endpoint.wait_for(1, accepted=True)
        rest = sorted([before, *EVENTS[:3], *EVENTS[4:]])
        poll(lambda: lines_left(site) == rest, "the rest")
        assert daemon.stop() == 0

    assert bodies(endpoint) == {EVENTS[3]: 1}
    assert endpoint.requests[0].headers["Idempotency-Key"] == event_id(EVENTS[3])
    assert site.receipts() == {event_id(EVENTS[3]): 1}


def test_a_run_from_cron_sends_what_was_chosen(site: Site, endpoint: Endpoint) -> None:
    """In mode local the rest is kept for later, and said so; with nothing else all is well."""
    decide(Mode.LOCAL)
    site.record(EVENTS[:2])
    chosen = event_id(EVENTS[1])

    said = site.telemetry_spool("send", "--yes", chosen).stdout.splitlines()[-1]
    assert said == "No uploader runs; telemetry-uploader once sends 1 event."
    once = site.uploader("once")

    assert once.code == os.EX_TEMPFAIL
    reason = "mode local: chosen with telemetry-spool local"
    assert once.stderr == f"telemetry-uploader: 1 event kept for later: {reason}\n"
    assert bodies(endpoint) == {EVENTS[1]: 1}
    site.telemetry_spool("send", "--yes", event_id(EVENTS[0]))
    assert site.uploader("once").code == 0
    assert bodies(endpoint) == dict.fromkeys(EVENTS[:2], 1)


def test_off_stops_what_was_chosen_too(site: Site, endpoint: Endpoint) -> None:
    """The latest no wins; a later yes sends it."""
    decide(Mode.LOCAL)
    site.record(EVENTS[:1], local=True)
    site.telemetry_spool("send", "--yes", event_id(EVENTS[0]))
    decide(Mode.OFF)

    refused = site.telemetry_spool("send", "--yes", event_id(EVENTS[0]))
    assert (refused.code, refused.stdout) == (os.EX_NOPERM, "")
    site.uploader("once")
    assert endpoint.requests == []

    decide(Mode.ON)
    assert site.uploader("once").code == 0
    assert bodies(endpoint) == {EVENTS[0]: 1}


def test_what_was_removed_while_the_endpoint_was_down_is_never_sent(
    site: Site, endpoint: Endpoint
) -> None:
    """The daemon holds the segment all that time; the others arrive once."""
    endpoint.answer = lambda _: DOWN
    site.record(EVENTS)
    removed = [EVENTS[0], EVENTS[7]]
    with site.daemon() as daemon:
        assert endpoint.wait_for(3)

        ended = site.telemetry_spool("rm", "--yes", *(event_id(line) for line in removed))
        assert (ended.code, ended.stderr) == (0, "")
        assert lines_left(site) == sorted(set(EVENTS) - set(removed))

        endpoint.answer = lambda _: CREATED
        site.wait_until_drained()
        assert daemon.stop() == 0

    assert bodies(endpoint) == dict.fromkeys(set(EVENTS) - set(removed), 1)


def test_everything_can_be_purged_while_writers_go_on(site: Site, endpoint: Endpoint) -> None:
    """The daemon is offline and Flower records: what is recorded later arrives, nothing else."""
    endpoint.answer = lambda _: DOWN
    site.record(EVENTS)
    later = [event("LATER", details={"n": number}) for number in range(200)]
    with site.daemon() as daemon:
        assert endpoint.wait_for(2)
        writer = threading.Thread(target=site.record, args=[later])
        writer.start()

        ended = site.telemetry_spool("purge", "--type", "CLIENTAPP_*", "--yes")
        assert (ended.code, ended.stderr) == (0, "")
        writer.join()
        assert lines_left(site) == sorted(later)

        endpoint.answer = lambda _: CREATED
        site.wait_until_drained()
        assert daemon.stop() == 0

    assert bodies(endpoint) == dict.fromkeys(later, 1)


def test_a_purge_beside_a_daemon_that_is_sending_loses_nothing_else(
    site: Site, endpoint: Endpoint
) -> None:
    """What is kept arrives; what was sent in the last second may come again, under its key."""
    kept = [event("KEPT", details={"n": number}) for number in range(150)]
    dropped = [event("DROPPED", details={"n": number}) for number in range(150)]
    endpoint.latency = 0.02
    site.record([line for pair in zip(kept, dropped, strict=True) for line in pair])
    with site.daemon() as daemon:
        assert endpoint.wait_for(20, accepted=True)

        ended = site.telemetry_spool("purge", "--type", "DROPPED", "--yes")
        assert ended.code == 0
        site.wait_until_drained()
        assert daemon.stop() == 0

    arrived = Counter(request.json()["event_type"] for request in endpoint.accepted)
    assert {line for line in bodies(endpoint) if b"KEPT" in line} == set(kept)
    assert arrived["DROPPED"] <= 150
    keys = {request.headers["Idempotency-Key"] for request in endpoint.accepted}
    assert keys == {event_id(line) for line in bodies(endpoint)}


def test_a_dead_letter_that_is_sent_again_arrives_byte_for_byte(
    site: Site, endpoint: Endpoint
) -> None:
    """The endpoint had an error of its own, and it has been mended."""
    endpoint.answer = lambda _: Answer(422)
    odd = b'{"event_type":"ODD",  "n": 1.10}'
    site.record([odd, EVENTS[0]])
    with site.daemon() as daemon:
        poll(lambda: len(site.rejected()) == 2, "the dead letters")
        endpoint.answer = lambda _: CREATED

        assert site.telemetry_spool("rejected", "retry", "--all").code == 0

        site.wait_until_drained()
        assert daemon.stop() == 0

    assert bodies(endpoint) == {odd: 1, EVENTS[0]: 1}
    assert site.rejected() == []
