"""Every way to opt out, with every producer and the uploader, already running or not."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.conftest import DEADLINE_SECONDS
from tests.e2e.conftest import lines
from tests.flower.conftest import NewHome
from tests.flower.home import PROGRAMS, Home
from tests.flower.versions import EVERY, FLWR_1_41, Version, name_of
from tests.support.endpoint import Endpoint
from tests.support.policies import SitePolicy, why_no_policies
from tests.support.processes import poll

STANDALONE = Version("flwr-datasets", "telemetry_spool")
"""`telemetry_spool.event()` itself, in an environment whose Flower it does not use."""

PRODUCERS = (*EVERY, STANDALONE)

EVENTS = lines(range(3))


@dataclass(frozen=True, slots=True)
class Way:
    """A way to say no. `recorded` tells whether it lets events be recorded that never leave."""

    name: str
    variables: Mapping[str, str] = field(default_factory=dict)
    choice: str = ""
    policy: str = ""
    recorded: bool = False


BY_ENVIRONMENT = (
    Way("FLWR_TELEMETRY_ENABLED=0", {"FLWR_TELEMETRY_ENABLED": "0"}),
    Way("FLWR_TELEMETRY_ENABLED=false", {"FLWR_TELEMETRY_ENABLED": "false"}),
    Way("DO_NOT_TRACK=1", {"DO_NOT_TRACK": "1"}),
    Way("DO_NOT_TRACK=true", {"DO_NOT_TRACK": "true"}),
)
AT_ANY_TIME = (
    Way("telemetry-spool off", choice="off"),
    Way("telemetry-spool local", choice="local", recorded=True),
    Way("policy off", policy="off"),
    Way("policy local", policy="local", recorded=True),
)
WAYS = (*BY_ENVIRONMENT, *AT_ANY_TIME)


def producer_name(producer: Version) -> str:
    """Return how a producer is shown."""
    return "standalone" if producer is STANDALONE else name_of(producer)


def way_name(way: Way) -> str:
    """Return how a way is shown."""
    return way.name


@pytest.fixture(scope="module")
def policies(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Skip where a policy cannot be had for some processes only."""
    reason = why_no_policies(tmp_path_factory.mktemp("policies"))
    if reason:
        pytest.skip(reason)


@dataclass(frozen=True, slots=True)
class Machine:
    """A home, and the policy that its processes see."""

    home: Home
    policy: SitePolicy

    def take(self, way: Way) -> None:
        """Go a way that is open at any time."""
        if way.choice:
            told = self.home.start("telemetry-spool", way.choice, prefix=self.policy.prefix)
            told.succeed()
        if way.policy:
            self.policy.say(f'mode = "{way.policy}"')

    @contextmanager
    def producer(
        self, module: str, variables: Mapping[str, str] | None = None
    ) -> Iterator[Callable[[], None]]:
        """Run a producer of events; each call of what this yields is one `event()`, returned."""
        program = (str(self.home.environment.python), str(PROGRAMS / "on_request.py"), module)
        with subprocess.Popen(
            [*self.policy.prefix, *program],
            cwd=self.home.directory,
            env=self.home.environ(**(variables or {})),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:

            def emit() -> None:
                assert process.stdin is not None
                assert process.stdout is not None
                process.stdin.write("\n")
                process.stdin.flush()
                assert process.stdout.readline() == "returned\n"

            yield emit
            assert process.communicate(timeout=DEADLINE_SECONDS) == ("", "")
            assert process.returncode == 0

    def record(self) -> None:
        """Put events into the spool, whoever said what."""
        spool = self.home.place.open()
        for event in EVENTS:
            spool.append(event)

    def activity(self) -> str:
        """Return what the uploader says it does."""
        try:
            said = json.loads((self.home.place.root / "status.json").read_bytes())
        except FileNotFoundError:
            return ""
        return str(said["activity"])

    def may_leave(self) -> list[bytes]:
        """Return the lines in the spool that an uploader may send."""
        spool = self.home.place.spool
        segments = [path for path in spool.glob("*.jsonl") if ".local." not in path.name]
        return [line for path in segments for line in path.read_bytes().splitlines()]


@pytest.fixture
def machine(policies: None, new_home: NewHome, tmp_path: Path) -> Machine:  # noqa: ARG001
    """Return a machine with the newest Flower."""
    return Machine(new_home(FLWR_1_41.environment), SitePolicy(tmp_path / "site"))


@pytest.mark.parametrize("producer", PRODUCERS, ids=producer_name)
@pytest.mark.parametrize("way", WAYS, ids=way_name)
@pytest.mark.usefixtures("policies")
def test_a_process_that_starts_after_a_no(
    way: Way, producer: Version, new_home: NewHome, tmp_path: Path
) -> None:
    """Records nothing, or what never leaves; and makes no directory for nothing."""
    machine = Machine(new_home(producer.environment), SitePolicy(tmp_path / "site"))
    machine.take(way)
    home = machine.home

    with machine.producer(producer.module, way.variables) as emit:
        emit()

    assert machine.may_leave() == []
    assert len(home.place.lines()) == way.recorded
    assert home.place.root.exists() == way.recorded


@pytest.mark.parametrize("producer", PRODUCERS, ids=producer_name)
@pytest.mark.parametrize("way", AT_ANY_TIME, ids=way_name)
@pytest.mark.usefixtures("policies")
def test_a_process_that_runs_when_somebody_says_no(
    way: Way, producer: Version, new_home: NewHome, tmp_path: Path
) -> None:
    """Obeys from its next event on."""
    machine = Machine(new_home(producer.environment), SitePolicy(tmp_path / "site"))
    with machine.producer(producer.module) as emit:
        emit()
        before = machine.may_leave()
        machine.take(way)
        emit()

    assert len(before) == 1
    assert machine.may_leave() == before
    assert len(machine.home.place.lines()) == len(before) + way.recorded


@pytest.mark.parametrize("way", [BY_ENVIRONMENT[0], *AT_ANY_TIME[:3]], ids=way_name)
def test_a_simulation_after_a_no(way: Way, machine: Machine) -> None:
    """Holds for the processes that Flower and Ray start, too."""
    machine.take(way)

    machine.home.start_program(
        "simulate.py", prefix=machine.policy.prefix, variables=way.variables
    ).succeed()

    assert machine.may_leave() == []
    assert bool(machine.home.place.lines()) == way.recorded


@pytest.mark.parametrize("way", WAYS, ids=way_name)
def test_an_uploader_that_starts_after_a_no(way: Way, machine: Machine) -> None:
    """Sends nothing, and says who would have it so."""
    machine.record()
    machine.take(way)
    with Endpoint() as endpoint:
        command = ("telemetry-uploader", "once", "--endpoint", endpoint.url)
        done = machine.home.start(
            *command, prefix=machine.policy.prefix, variables=way.variables
        ).finish()

        assert endpoint.requests == []
    assert done.exit_code == os.EX_TEMPFAIL
    assert f"mode {'local' if way.recorded else 'off'}" in done.stderr
    assert machine.may_leave() == EVENTS


@pytest.mark.parametrize("way", AT_ANY_TIME, ids=way_name)
def test_an_uploader_that_runs_when_somebody_says_no(way: Way, machine: Machine) -> None:
    """Sends what came before, and nothing that comes after."""
    with Endpoint() as endpoint:
        command = ("telemetry-uploader", "run", "--endpoint", endpoint.url)
        often = ("--rescan-interval", "0.2")
        daemon = machine.home.start(*command, *often, prefix=machine.policy.prefix)
        machine.record()
        assert endpoint.wait_for(len(EVENTS), accepted=True)

        machine.take(way)
        machine.record()
        poll(lambda: machine.activity() == "paused", "the uploader to pause")
        daemon.process.terminate()
        assert daemon.finish().exit_code == 0

        assert sorted(request.body for request in endpoint.requests) == EVENTS
    assert machine.may_leave() == EVENTS
