"""Outages that a running daemon lives through, again and again, and stops in the middle of one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import Place
from tests.faults.network_peer import Peer, Script, accepting, answer, answering, silent
from tests.faults.network_rows import event, event_id, fault
from tests.faults.network_uploader import Stage, Uploader, aftermath, over, over_each_transport
from tests.faults.table import survives_each

EVENTS_EACH = 5


@dataclass(frozen=True, slots=True)
class Outage:
    """A kind of outage: how it comes, and whether requests of it are under way when it ends."""

    name: str
    begin: Callable[[Peer], None]
    in_flight: bool = False


def become(peer: Peer, script: Script) -> None:
    """Break what is under way and follow another script from now on."""
    peer.stop()
    peer.script = script
    peer.start()


def begin_silence(peer: Peer) -> None:
    """Read what comes, and say nothing."""
    become(peer, silent)


def begin_unavailability(peer: Peer) -> None:
    """Say that nothing can be taken now."""
    become(peer, answering(answer(503, b"")))


def end(peer: Peer) -> None:
    """Be well again."""
    become(peer, accepting)


# A silent endpoint fails after the read timeout; a healthy one has far more time than it needs.
SHORT = {"FLWR_TELEMETRY_READ_TIMEOUT": "3"}

OUTAGES = [
    Outage("refused", Peer.stop),
    Outage("silent", begin_silence, in_flight=True),
    Outage("503", begin_unavailability),
]

parametrized = pytest.mark.parametrize("outage", OUTAGES, ids=[outage.name for outage in OUTAGES])


def recovery(outage: Outage) -> str:
    """Say what is outlived, for the table."""
    return f"an outage ({outage.name}) and another one, with the daemon running"


def stop(outage: Outage) -> str:
    """Say what the stop comes into, for the table."""
    return f"SIGTERM in an outage ({outage.name})"


@survives_each(
    fault(recovery(outage), "after each everything is delivered, accepted exactly once")
    for outage in OUTAGES
)
@parametrized
@over_each_transport
def test_delivery_resumes_after_every_outage(
    outage: Outage, transport: str, tmp_path: Path
) -> None:
    """It resumes without a restart, the second time as well as the first."""
    place = Place(tmp_path / "telemetry")
    spool = place.open()
    events = [event(number) for number in range(5 * EVENTS_EACH)]
    batches = [events[first : first + EVENTS_EACH] for first in range(0, len(events), EVENTS_EACH)]

    environ = over(transport) | (SHORT if outage.in_flight else {})

    def spooled_and_delivered(count: int) -> bool:
        status = daemon.wait_until(lambda status: status.get("accepted", 0) >= count)
        return bool(status["accepted"] == count)

    with (
        Peer(accepting) as peer,
        Uploader(place, Stage(peer.url), environ).running() as daemon,
    ):
        spool_all(spool.append, batches[0])
        assert spooled_and_delivered(EVENTS_EACH)
        for number in (1, 3):
            outage.begin(peer)
            spool_all(spool.append, batches[number])
            status = daemon.wait_until(lambda status: status["activity"] == "waiting")
            assert status["activity"] == "waiting", daemon.log.read_text("utf-8")
            assert Counter(peer.accepted) == Counter(events[: number * EVENTS_EACH])
            spool_all(spool.append, batches[number + 1])
            end(peer)
            assert spooled_and_delivered((number + 2) * EVENTS_EACH), daemon.log.read_text("utf-8")
        assert daemon.stop() == 0

    left = aftermath(place)
    assert Counter(peer.accepted) == Counter(events)
    assert Counter(left.receipts) == Counter(map(event_id, events))
    assert (left.spool, left.progress, left.letters) == ([], [], [])


def spool_all(append: Callable[[bytes], object], lines: list[bytes]) -> None:
    """Append every line."""
    for line in lines:
        append(line)


@survives_each(
    fault(stop(outage), "exit 0; nothing is lost, nothing sent again but what was in flight")
    for outage in OUTAGES
)
@parametrized
@over_each_transport
def test_a_stop_in_an_outage_loses_nothing(outage: Outage, transport: str, tmp_path: Path) -> None:
    """What was accepted before stays accepted, the rest stays in the spool for the next run."""
    place = Place(tmp_path / "telemetry")
    spool = place.open()
    events = [event(number) for number in range(2 * EVENTS_EACH)]
    before, during = events[:EVENTS_EACH], events[EVENTS_EACH:]

    with Peer(accepting) as peer:
        uploader = Uploader(place, Stage(peer.url), over(transport))
        with uploader.running() as daemon:
            spool_all(spool.append, before)
            status = daemon.wait_until(lambda status: status.get("accepted") == len(before))
            assert status["accepted"] == len(before)
            outage.begin(peer)
            seen = len(peer.received)
            spool_all(spool.append, during)
            if outage.in_flight:
                assert peer.wait_for(lambda peer: len(peer.received) > seen)
            else:
                status = daemon.wait_until(lambda status: status["activity"] == "waiting")
                assert status["activity"] == "waiting"
            exit_code = daemon.stop()
        kept = aftermath(place)
        end(peer)
        done = uploader.once()

    assert exit_code == 0
    assert sorted(kept.spool) == sorted(during)
    assert done.returncode == 0, done.stderr
    assert Counter(peer.accepted) == Counter(events)
    left = aftermath(place)
    assert Counter(left.receipts) == Counter(map(event_id, events))
    assert (left.spool, left.progress, left.letters) == ([], [], [])
