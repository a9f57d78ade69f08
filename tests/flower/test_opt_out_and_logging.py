"""Flower's two switches, `FLWR_TELEMETRY_ENABLED` and `…_LOGGING`, do what they do in Flower."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.flower.conftest import NewHome
from tests.flower.home import Home
from tests.flower.programs.emit import DETAILS
from tests.flower.versions import EVERY, FRAMEWORK, Version, name_of
from tests.support.endpoint import Endpoint

SOURCE = "0f8fad5b-d9cb-469f-a165-70867728950e"

_CLUSTER = re.compile(r'"cluster": "[0-9a-f-]{36}"')
_ISO_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?\+00:00")
_LOG_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}")


@dataclass(frozen=True, slots=True)
class Runs:
    """The same program with the same switches: with the spool, and with Flower's transport."""

    enabled: bool
    logging: bool
    ours: Home
    flowers: Home
    our_stderr: str
    flowers_stderr: str
    flower_posted: int


def home_with_source(new_home: NewHome, version: Version) -> Home:
    """Return a home that has a source id already, so that it is the same one in each."""
    home = new_home(version.environment)
    flower_home = home.directory / "home" / ".flwr"
    flower_home.mkdir(parents=True)
    (flower_home / "source").write_text(SOURCE, "utf-8")
    return home


@pytest.fixture(scope="module", params=EVERY, ids=name_of)
def version(request: pytest.FixtureRequest) -> Version:
    """Return each release in turn."""
    version: Version = request.param
    return version


@pytest.fixture(scope="module", params=["0", "1"], ids=["quiet", "logging"])
def logging(request: pytest.FixtureRequest) -> str:
    """Return each value of `FLWR_TELEMETRY_LOGGING` in turn."""
    value: str = request.param
    return value


@pytest.fixture(scope="module", params=["1", "0"], ids=["enabled", "disabled"])
def runs(request: pytest.FixtureRequest, version: Version, logging: str, new_home: NewHome) -> Runs:
    """Run the program with and without the spool, at the same time, in two homes."""
    enabled: str = request.param
    switches = {"FLWR_TELEMETRY_ENABLED": enabled, "FLWR_TELEMETRY_LOGGING": logging}
    ours, flowers = (home_with_source(new_home, version) for _ in range(2))
    with Endpoint() as endpoint:
        arguments = ("emit.py", version.module, str(len(DETAILS)), endpoint.url)
        running = (
            ours.start_program(*arguments, variables=switches),
            flowers.start_program(*arguments, variables={**switches, "FLWR_TELEMETRY_SPOOL": "0"}),
        )
        our_end, flowers_end = (each.succeed() for each in running)
        assert our_end.stdout == flowers_end.stdout == ""
        return Runs(
            enabled == "1",
            logging == "1",
            ours,
            flowers,
            our_end.stderr,
            flowers_end.stderr,
            len(endpoint.requests),
        )


def blanked(stderr: str) -> str:
    """Return the text with blanks where two runs cannot agree."""
    for pattern, blank in ((_CLUSTER, "CLUSTER"), (_ISO_DATE, "DATE"), (_LOG_TIME, "TIME")):
        stderr = pattern.sub(blank, stderr)
    return stderr


def files_of(home: Home) -> list[Path]:
    """Return the files in the home directory."""
    user = home.directory / "home"
    return sorted(path.relative_to(user) for path in user.rglob("*") if path.is_file())


def test_what_is_logged_is_what_flower_logs(runs: Runs) -> None:
    """Level, logger, file, line and payload are Flower's, once for each event if at all."""
    lines = blanked(runs.our_stderr).splitlines()

    assert lines == blanked(runs.flowers_stderr).splitlines()
    assert len(lines) == (len(DETAILS) if runs.logging else 0)


def test_events_are_recorded_where_flower_would_have_sent_them(runs: Runs) -> None:
    """With the switch on all events are in the spool; with the switch off there is none."""
    assert len(runs.ours.place.lines()) == runs.flower_posted
    assert runs.flower_posted == (len(DETAILS) if runs.enabled else 0)


def test_nothing_but_the_spool_is_left_behind(runs: Runs) -> None:
    """The home has the files that Flower alone leaves; ours are there with the switch on only."""
    assert runs.ours.place.root.exists() == runs.enabled
    assert files_of(runs.ours) == files_of(runs.flowers)


@pytest.mark.parametrize("version", FRAMEWORK, ids=name_of)
def test_disabled_telemetry_leaves_an_empty_home_empty(version: Version, new_home: NewHome) -> None:
    """With the switch off, not even a directory is made in a home that nobody has used."""
    home = new_home(version.environment)
    switched_off = {"FLWR_TELEMETRY_ENABLED": "0"}

    done = home.start_program("emit.py", version.module, "2", variables=switched_off).finish()

    assert (done.exit_code, done.stdout, done.stderr) == (0, "", "")
    assert list(home.directory.rglob("*")) == [home.directory / "home"]
