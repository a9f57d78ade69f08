"""`strace -f -e trace=network`: no network call of a Flower process is caused by telemetry."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.flower.conftest import NewHome
from tests.flower.namespaces import NAME_SERVER_ADDRESS, TELEMETRY_ADDRESS, blackhole
from tests.flower.programs.emit import DETAILS
from tests.flower.trace import (
    STRACE,
    Call,
    after_first_event,
    calls,
    destinations,
    during_events,
)
from tests.flower.versions import EVERY, FLWR_1_41, Version, name_of

pytestmark = [
    pytest.mark.usefixtures("namespaces"),
    pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed"),
]

# Ray asks the kernel which address of its own it would use to reach these; no packet is sent.
_RAY_PROBES = {"8.8.8.8", "2001:4860:4860::8888"}

# DNS as it is on the wire: each label behind its length, which is a tab for "telemetry".
_DNS_QUESTION = r"\ttelemetry\6flower"


def networking(recorded: Iterable[Call]) -> list[Call]:
    """Return the network calls."""
    return [call for call in recorded if call.networks]


@pytest.fixture(scope="module")
def simulations(new_home: NewHome) -> dict[str, tuple[list[Call], Counter[str]]]:
    """Trace two simulations at once, with and without the spool, where the endpoint is dead."""
    running = {}
    for spool in ("1", "0"):
        home = new_home(FLWR_1_41.environment)
        trace = home.directory / "trace"
        hole = blackhole(home.directory / "network")
        simulation = home.start_program(
            "simulate.py",
            prefix=(*hole, *STRACE, "-s", "256", "-o", str(trace)),
            variables={"FLWR_TELEMETRY_SPOOL": spool, "https_proxy": ""},
        )
        running[spool] = (home, trace, simulation)
    for _, _, simulation in running.values():
        simulation.succeed()
    return {spool: (calls(trace), home.spooled()) for spool, (home, trace, _) in running.items()}


def test_a_simulation_does_not_talk_to_telemetry(
    simulations: dict[str, tuple[list[Call], Counter[str]]],
) -> None:
    """No process of a real simulation connects to anything but Ray's own, or asks for a name."""
    recorded, spooled = simulations["1"]

    assert spooled == {
        "PYTHON_API_RUN_SIMULATION_ENTER": 1,
        "PING": 1,
        "PYTHON_API_RUN_SIMULATION_LEAVE": 1,
    }
    assert destinations(recorded) - _RAY_PROBES == {"127.0.0.1"}, "Ray's own connections"
    assert not [call.text for call in recorded if _DNS_QUESTION in call.text]


def test_the_same_trace_shows_what_flower_does_alone(
    simulations: dict[str, tuple[list[Call], Counter[str]]],
) -> None:
    """Without the spool, thread and connection are there: the trace would have shown ours."""
    recorded, spooled = simulations["0"]

    assert [call for event in during_events(recorded) for call in event if call.starts_thread]
    assert TELEMETRY_ADDRESS in destinations(recorded)
    assert not spooled


def test_no_event_of_a_simulation_uses_the_network(
    simulations: dict[str, tuple[list[Call], Counter[str]]],
) -> None:
    """While `event()` runs, its thread makes no network call and starts no thread."""
    recorded, _ = simulations["1"]
    events = during_events(recorded)

    assert len(events) == 3, "one at the start, one in the Ray worker, one at the end"
    for event in events:
        assert not networking(event)
        assert not [call.text for call in event if call.starts_thread]


@pytest.mark.parametrize("version", EVERY, ids=name_of)
def test_a_program_makes_no_network_call_from_its_first_event_to_its_end(
    version: Version, new_home: NewHome, tmp_path: Path
) -> None:
    """After Flower is imported, there is no network call of any kind, in any thread."""
    home = new_home(version.environment)
    trace = tmp_path / "trace"
    hole = blackhole(tmp_path / "network")

    prefix = (*hole, *STRACE, "-o", str(trace))
    home.start_program("emit.py", version.module, str(len(DETAILS)), prefix=prefix).succeed()

    recorded = after_first_event(calls(trace))
    assert len(during_events(recorded)) == len(home.place.lines()) == len(DETAILS)
    assert not networking(recorded)
    assert not [call.text for call in recorded if call.starts_thread]
    assert not destinations(calls(trace)) & {TELEMETRY_ADDRESS, NAME_SERVER_ADDRESS}
