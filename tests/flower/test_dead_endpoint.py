"""Where every packet to the endpoint vanishes, a Flower program ends as if telemetry were off.

Flower alone hangs there at its end, 121 s with 1.5.0 and 1.20.0, and loses the events with every
release. Where a name server never answers, it hangs for 20 s.
"""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pytest

from tests.flower.conftest import NewHome
from tests.flower.home import RUN_SECONDS, Finished, Home, note
from tests.flower.namespaces import TELEMETRY_ADDRESS, blackhole
from tests.flower.programs.emit import DETAILS
from tests.flower.trace import STRACE, calls, destinations
from tests.flower.versions import FRAMEWORK, Version, name_of
from tests.support.endpoint import Endpoint

pytestmark = pytest.mark.usefixtures("namespaces")

EVENTS = "2"

# Below the shortest hang of Flower alone, many times what importing Flower takes.
HANG_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Run:
    """A run in the black hole, and one of the same program with telemetry off."""

    home: Home
    ended: Finished
    seconds: float
    seconds_disabled: float


@pytest.fixture(scope="module", params=FRAMEWORK, ids=name_of)
def version(request: pytest.FixtureRequest) -> Version:
    """Return each release in turn."""
    version: Version = request.param
    return version


@pytest.fixture(scope="module")
def run(version: Version, new_home: NewHome) -> Run:
    """Emit two events where the endpoint is dead, and measure."""
    seconds = []
    for enabled in ("0", "1"):
        home = new_home(version.environment)
        hole = blackhole(home.directory / "network")
        variables = {"FLWR_TELEMETRY_ENABLED": enabled, "https_proxy": "", "http_proxy": ""}
        begun = time.monotonic()
        arguments = ("emit.py", version.module, EVENTS)
        ended = home.start_program(*arguments, prefix=hole, variables=variables).finish()
        seconds.append(time.monotonic() - begun)
    return Run(home, ended, seconds[1], seconds[0])


def test_the_program_ends_at_once(version: Version, run: Run) -> None:
    """It exits with 0, says nothing, and does not wait for the network."""
    note(
        f"{version.environment}: two events in {run.seconds:.2f} s, "
        f"{run.seconds_disabled:.2f} s with FLWR_TELEMETRY_ENABLED=0"
    )

    assert run.ended == Finished(0, "", "")
    assert run.seconds < HANG_SECONDS


def test_no_event_is_lost(run: Run) -> None:
    """Both events are in the spool."""
    assert [event["event_details"] for event in run.home.place.events()] == [{}, DETAILS[1]]


def test_the_events_arrive_once_the_endpoint_can_be_reached(run: Run) -> None:
    """The uploader delivers each event once, under its id, and leaves an empty spool."""
    lines = run.home.place.lines()
    with Endpoint() as endpoint:
        assert run.home.upload(endpoint).exit_code == 0
        endpoint.wait_for(len(lines), accepted=True)
        received = {
            request.headers["Idempotency-Key"]: request.body for request in endpoint.accepted
        }

        assert len(endpoint.requests) == int(EVENTS)
    assert received == {sha256(line).hexdigest(): line for line in lines}
    assert not run.home.place.lines()


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_flower_alone_would_wait_for_the_endpoint(
    version: Version, new_home: NewHome, tmp_path: Path
) -> None:
    """The black hole is one: Flower's own connection is never answered."""
    home = new_home(version.environment)
    trace = tmp_path / "trace"
    trace.touch()
    hole = blackhole(tmp_path / "network")
    flower = home.start_program(
        "emit.py",
        version.module,
        EVENTS,
        "https://telemetry.flower.ai/api/v1/event",
        prefix=(*hole, *STRACE, "-o", str(trace)),
        variables={"FLWR_TELEMETRY_SPOOL": "0", "https_proxy": "", "http_proxy": ""},
    )

    deadline = time.monotonic() + RUN_SECONDS
    while TELEMETRY_ADDRESS not in destinations(calls(trace)):
        assert time.monotonic() < deadline
        assert flower.process.poll() is None
        time.sleep(0.05)

    assert flower.process.poll() is None
    home.end()
    flower.process.wait()
