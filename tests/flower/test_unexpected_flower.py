"""A Flower that is not as expected is left as it was, and nobody hears of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.flower.conftest import NewHome
from tests.flower.home import Finished, Home
from tests.flower.versions import FLWR_1_5

# What the patch relies on, in the shortest module that has it all.
AS_EXPECTED = """
import json
import urllib.request

FLWR_TELEMETRY_ENABLED = "1"
FLWR_TELEMETRY_LOGGING = "0"
TELEMETRY_EVENTS_URL = "http://127.0.0.1:9/api/v1/event"

def event(event_type, event_details=None):
    return create_event(event_type, event_details)

def create_event(event_type, event_details):
    request = urllib.request.Request(url=TELEMETRY_EVENTS_URL, data=b"{}")
    with urllib.request.urlopen(request, timeout=60) as response:
        return response.read().decode("utf-8")
"""

CHANGES = {
    "create_event renamed": ("create_event", "build_event"),
    "create_event from elsewhere": (
        "def create_event(event_type, event_details):",
        "from json import dumps as create_event\n\ndef unused(event_type, event_details):",
    ),
    "create_event wrapped": (
        "def create_event",
        "import functools\n\n@functools.lru_cache\ndef create_event",
    ),
    "create_event with another argument": (
        "(event_type, event_details):",
        "(event_type, event_details, signature=None):",
    ),
    "create_event with other arguments": ("event_type, event_details):", "payload):"),
    "another transport": ("urllib.request.urlopen", "urllib.request.build_opener().open"),
    "create_event with a keyword-only argument": (
        "(event_type, event_details):",
        "(event_type, event_details, *, sign=True):",
    ),
    "event with another argument": ("event_details=None):", "event_details=None, run_id=None):"),
    "event renamed": ("def event(", "def emit("),
    "switch gone": ('FLWR_TELEMETRY_ENABLED = "1"', ""),
    "switch of another type": ('FLWR_TELEMETRY_LOGGING = "0"', "FLWR_TELEMETRY_LOGGING = False"),
    "an empty module": (AS_EXPECTED, ""),
}

# Compares the module after its import with the same source executed by hand.
COMPARE = """
import inspect, pathlib, sys, types
from flwr.supercore import telemetry
def shape(names):
    return {name: getattr(inspect.unwrap(value), "__code__", value) for name, value in names.items()
            if not name.startswith("__")}
by_hand = types.ModuleType(telemetry.__name__)
source = pathlib.Path(telemetry.__file__).read_text()
exec(compile(source, telemetry.__file__, "exec"), vars(by_hand))
sys.stdout.write(str(shape(vars(telemetry)) == shape(vars(by_hand))))
"""


def import_fake(home: Home, source: str) -> Finished:
    """Import a Flower with this telemetry module; say whether it is as its source makes it."""
    package = home.directory / "fake" / "flwr" / "supercore"
    package.mkdir(parents=True)
    (package.parent / "__init__.py").touch()
    (package / "__init__.py").touch()
    (package / "telemetry.py").write_text(source, "utf-8")
    fake: Path = home.directory / "fake"
    return home.start("python", "-c", COMPARE, variables={"PYTHONPATH": str(fake)}).finish()


def test_the_expected_module_is_patched(new_home: NewHome) -> None:
    """The shortest module that has all that the patch relies on is patched."""
    home = new_home(FLWR_1_5.environment)

    assert import_fake(home, AS_EXPECTED) == Finished(0, "False", "")


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_module_is_left_as_it_was(change: str, new_home: NewHome) -> None:
    """Every name in the module is what its source makes it; nothing is raised or printed."""
    home = new_home(FLWR_1_5.environment)
    old, new = CHANGES[change]
    assert old in AS_EXPECTED

    assert import_fake(home, AS_EXPECTED.replace(old, new)) == Finished(0, "True", "")
    assert not home.place.root.exists()


def test_a_module_that_fails_to_import_fails_as_before(new_home: NewHome) -> None:
    """The error of Flower's own import reaches its importer, with Flower's traceback only."""
    home = new_home(FLWR_1_5.environment)

    ended = import_fake(home, "raise RuntimeError('broken release')")

    assert ended.exit_code == 1
    assert ended.stderr.splitlines()[-1] == "RuntimeError: broken release"
