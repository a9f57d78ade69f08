"""Real simulations against a healthy endpoint with 100 ms latency: every event is accepted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import pytest

from tests.flower.conftest import NewHome
from tests.flower.home import Home, note
from tests.flower.namespaces import offline
from tests.flower.versions import FLWR_1_41
from tests.support.endpoint import Endpoint, Request

RUNS = 3
LATENCY_SECONDS = 0.1

ENTER = "PYTHON_API_RUN_SIMULATION_ENTER"
LEAVE = "PYTHON_API_RUN_SIMULATION_LEAVE"


def types_of(requests: Iterable[Request]) -> Counter[str]:
    """Return how many events of each type were received."""
    return Counter(request.json()["event_type"] for request in requests)


@pytest.fixture(scope="module")
def one_after_the_other(new_home: NewHome) -> Home:
    """Run the simulations one after the other in one home."""
    home = new_home(FLWR_1_41.environment)
    for _ in range(RUNS):
        home.start_program("simulate.py", prefix=offline()).succeed()
    return home


@pytest.fixture(scope="module")
def at_once(new_home: NewHome) -> Home:
    """Run the simulations at the same time in one home, so that they share a spool."""
    home = new_home(FLWR_1_41.environment)
    running = [home.start_program("simulate.py", prefix=offline()) for _ in range(RUNS)]
    for each in running:
        each.succeed()
    return home


def check_that_all_are_accepted(home: Home) -> None:
    """Upload, and see each event of each simulation accepted once."""
    with Endpoint(latency=LATENCY_SECONDS) as endpoint:
        assert home.upload(endpoint).exit_code == 0
        endpoint.wait_for(3 * RUNS, accepted=True)

        assert types_of(endpoint.accepted) == {ENTER: RUNS, "PING": RUNS, LEAVE: RUNS}
    assert not home.place.lines()


def test_three_simulations_one_after_the_other(one_after_the_other: Home) -> None:
    """Three ENTER and three LEAVE events are accepted, and each client's event."""
    check_that_all_are_accepted(one_after_the_other)


def test_three_simulations_at_once(at_once: Home) -> None:
    """All six events are accepted, and each client's event."""
    check_that_all_are_accepted(at_once)


def test_flower_alone(new_home: NewHome) -> None:
    """What Flower delivers by itself, for comparison: 3 ENTER and 0 LEAVE, by no guarantee."""
    home = new_home(FLWR_1_41.environment)
    with Endpoint(latency=LATENCY_SECONDS) as endpoint:
        running = [
            home.start_program("simulate.py", endpoint.url, variables={"FLWR_TELEMETRY_SPOOL": "0"})
            for _ in range(RUNS)
        ]
        for each in running:
            each.succeed()
        accepted = types_of(endpoint.accepted)

    note(f"Flower alone, {RUNS} simulations: {accepted[ENTER]} ENTER, {accepted[LEAVE]} LEAVE")
    assert not home.place.lines()
