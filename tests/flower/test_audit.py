"""What real Flower sends is what the schema says, and an audit of it comes out clean."""

from __future__ import annotations

import json

import pytest

from telemetry_spool import schema
from tests.flower.conftest import NewHome
from tests.flower.home import Home
from tests.flower.namespaces import offline
from tests.flower.test_simulation import ENTER, LEAVE
from tests.flower.versions import EVERY, FLWR_1_41, Version, name_of

TYPES = """
import importlib, json, sys
print(json.dumps([each.value for each in importlib.import_module(sys.argv[1]).EventType]))
"""

# Sent by each Flower here, and on none of its pages.
ALWAYS = {"context.date", "context.platform.python_implementation"}


def audited(home: Home, exit_code: int = 0) -> dict[str, dict[str, str]]:
    """Audit what is in the home's spool with the command that is installed there.

    Returns for each type of event what was found: path and kind.
    """
    finished = home.start("telemetry-spool", "audit", "--json").finish()
    assert finished.exit_code == exit_code, finished.stdout
    return {
        row["event_type"]: {each["path"]: each["kind"] for each in row["findings"]}
        for row in map(json.loads, finished.stdout.splitlines())
    }


@pytest.fixture(scope="module")
def simulated(new_home: NewHome) -> Home:
    """Run a real simulation without a network."""
    home = new_home(FLWR_1_41.environment)
    home.start_program("simulate.py", prefix=offline()).succeed()
    return home


@pytest.mark.usefixtures("namespaces")
def test_a_real_simulation_is_clean_and_what_no_page_mentions_is_named(simulated: Home) -> None:
    """Nothing in it looks personal; only the event that our program adds has something unknown."""
    found = audited(simulated, exit_code=1)

    always = {*ALWAYS, "context.partner"}
    assert set(found) == {ENTER, LEAVE, "PING"}
    assert found[ENTER] == dict.fromkeys(
        {*always, "event_details.backend", "event_details.num-supernodes"}, "off-page"
    )
    assert found[LEAVE] == dict.fromkeys(
        {*always, "event_details.run-id-hash", "event_details.success"}, "off-page"
    )
    assert found["PING"] == dict.fromkeys(always, "off-page") | {
        "event_details.from": "undocumented"
    }


@pytest.mark.parametrize("version", EVERY, ids=name_of)
def test_an_event_of_each_flower_is_clean(version: Version, new_home: NewHome) -> None:
    """Old and new, and Flower Datasets."""
    home = new_home(version.environment)
    home.start_program("emit.py", version.module, "1").succeed()

    (found,) = audited(home).values()

    assert set(found.values()) == {"off-page"}
    assert found.keys() - {"context.partner"} == ALWAYS


@pytest.mark.parametrize("version", EVERY, ids=name_of)
def test_the_schema_has_every_type_of_event(version: Version, new_home: NewHome) -> None:
    """As the installed Flower lists them."""
    home = new_home(version.environment)

    listed = home.start(home.environment.python, "-c", TYPES, version.module).succeed()

    types = json.loads(listed.stdout)
    assert len(types) > 4
    assert set(types) <= schema.event_types().keys()
