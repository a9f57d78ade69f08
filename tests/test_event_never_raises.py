"""`event()` comes back, whatever is wrong: it raises nothing and prints nothing."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path

import pytest

from telemetry_spool.paths import config_files
from tests.conftest import UNPRIVILEGED, Place, run_python

RECORD = """
from telemetry_spool import event
for number in range(3):
    assert event("RUN", {"n": number}) is None
"""

RECORD_WITH_LOGGING = "import logging; logging.basicConfig(level=logging.INFO)\n" + RECORD

UNSERIALISABLE = {
    "an object": "{'key': object()}",
    "a set": "{'key': {1, 2}}",
    "bytes": "{'key': b'bytes'}",
    "a tuple for a key": "{(1, 2): 'value'}",
    "a circle": "circle",
    "a deep nest": "nest",
    "a hostile string": "{'key': Hostile('text')}",
    "a hostile mapping": "HostileMapping(key='value')",
}

RECORD_UNSERIALISABLE = """
from telemetry_spool import event
circle = {}
circle["self"] = circle
nest = {}
for _ in range(100_000):
    nest = {"in": nest}
class Hostile(str):
    def __repr__(self):
        raise RuntimeError("no repr")
    __str__ = __repr__
class HostileMapping(dict):
    def items(self):
        raise RuntimeError("no items")
event("BEFORE")
event("BAD", %s)
event("AFTER")
"""


@pytest.mark.parametrize("details", UNSERIALISABLE.values(), ids=UNSERIALISABLE.keys())
def test_details_that_json_cannot_express_cost_one_event_at_most(
    place: Place, details: str
) -> None:
    """Either the event is recorded or it is counted as lost; the others are recorded."""
    done = run_python(RECORD_UNSERIALISABLE % details, environ=place.environ)

    kinds = [event["event_type"] for event in place.events()]
    assert (done.stdout, done.stderr) == ("", "")
    assert [kind for kind in kinds if kind != "BAD"] == ["BEFORE", "AFTER"]
    assert kinds.count("BAD") + sum(place.losses().values()) == 1


def test_a_root_below_a_file_is_silent(tmp_path: Path) -> None:
    """A wrong FLWR_TELEMETRY_DIR stops nobody's training."""
    file = tmp_path / "file"
    file.write_bytes(b"")

    done = run_python(RECORD, environ={"FLWR_TELEMETRY_DIR": str(file / "telemetry")})

    assert (done.stdout, done.stderr) == ("", "")
    assert file.read_bytes() == b""


def test_a_read_only_root_is_silent(read_only_disk: Path) -> None:
    """EROFS, as a container with a read-only file system gives."""
    done = run_python(RECORD, environ={"FLWR_TELEMETRY_DIR": str(read_only_disk)})

    assert (done.stdout, done.stderr) == ("", "")


def test_a_full_disk_is_silent(small_disk: Path) -> None:
    """From the first event on, also with the source id on the same disk."""
    (small_disk / "filler").write_bytes(b"x" * 32 * 1024)

    done = run_python(
        RECORD, environ={"FLWR_TELEMETRY_DIR": str(small_disk), "FLWR_HOME": str(small_disk)}
    )

    assert (done.stdout, done.stderr) == ("", "")


def test_a_root_without_permission_is_silent(reachable: Path) -> None:
    """The home of another user, for one."""
    reachable.chmod(0o555)

    done = run_python(
        UNPRIVILEGED + RECORD,
        environ={
            "FLWR_TELEMETRY_DIR": str(reachable / "telemetry"),
            "FLWR_HOME": str(reachable),
            "XDG_CONFIG_HOME": str(reachable),
        },
    )

    assert (done.stdout, done.stderr) == ("", "")


def test_no_home_at_all_is_silent() -> None:
    """A user id without an entry and no HOME, as in many containers."""
    done = run_python(
        UNPRIVILEGED.replace("65534", "4242424")
        + """
for name in [name for name in os.environ if name == "HOME" or name.startswith(("XDG_", "FLWR_"))]:
    del os.environ[name]
"""
        + RECORD
    )

    assert (done.stdout, done.stderr) == ("", "")


@pytest.mark.parametrize(
    "text",
    [
        "not toml",
        'dir = "relative"',
        'dir = "/with\\u0000nul"',
        "dir = 1",
        "a = " + "[" * 5000,
        "max_event_bytes = 99999999999999999999",
    ],
)
def test_a_wrong_settings_file_is_silent(text: str) -> None:
    """The defaults hold, and events are recorded."""
    path = config_files()[0]
    path.parent.mkdir(parents=True)
    path.write_text(text)

    done = run_python(RECORD)

    place = Place(Path(os.environ["XDG_STATE_HOME"]) / "flwr-telemetry")
    assert (done.stdout, done.stderr) == ("", "")
    assert [event["event_details"]["n"] for event in place.events()] == [0, 1, 2]


@pytest.mark.parametrize(
    ("record", "said"), [(RECORD, 0), (RECORD_WITH_LOGGING, 1)], ids=["silent", "logging"]
)
def test_a_recorder_that_cannot_be_made_is_said_once(record: str, said: int) -> None:
    """Whatever reading the settings may raise stops at the boundary, each time."""
    broken = """
import telemetry_spool.recorder
def writer_config():
    raise RuntimeError("settings of the wrong kind")
telemetry_spool.recorder.writer_config = writer_config
"""

    done = run_python(broken + record)

    assert done.stderr.count("settings of the wrong kind") == said
    assert len(done.stderr.splitlines()) == said
    assert done.stdout == ""


def test_closed_standard_streams_do_not_matter(place: Place) -> None:
    """Daemons close them; a segment must not become somebody's stderr."""
    run_python(
        "import os\nfor number in (0, 1, 2): os.close(number)\n" + RECORD, environ=place.environ
    )

    assert [event["event_details"]["n"] for event in place.events()] == [0, 1, 2]


def test_a_loss_is_one_line_in_the_log_of_a_host_that_logs(place: Place) -> None:
    """Where the host has set logging up, it hears of it once."""
    place.root.write_bytes(b"in the way")

    done = run_python(RECORD_WITH_LOGGING, environ=place.environ)

    (line,) = done.stderr.splitlines()
    assert line.startswith("WARNING:telemetry_spool:an event was lost: ")
    assert str(place.spool) in line
    assert done.stdout == ""


INTERRUPTED_WITH_THE_LOCK = """
import signal
from telemetry_spool import appending, event
signal.signal(signal.SIGUSR1, lambda *_: event("HANDLER"))
write = appending._write
def interrupted(*arguments, **options):
    appending._write = write
    signal.raise_signal(signal.SIGUSR1)
    return write(*arguments, **options)
for _ in range(3):
    event("BEFORE")
    appending._write = interrupted
    event("MAIN")
"""

INTERRUPTED_AT_EVERY_IMPORT = """
import signal, sys
from telemetry_spool import event
signal.signal(signal.SIGUSR1, lambda *_: event("HANDLER"))
seen = set()
class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name not in seen:
            seen.add(name)
            signal.raise_signal(signal.SIGUSR1)
sys.meta_path.insert(0, Interrupting())
event("MAIN")
sys.meta_path.pop(0)
event("AFTER")
print(len(seen))
"""


def test_a_signal_handler_may_record_while_an_event_has_the_lock(place: Place) -> None:
    """It does not wait for itself: its event gets a segment of its own."""
    run_python(INTERRUPTED_WITH_THE_LOCK, environ=place.environ)

    alone = [path.read_text() for path in place.sealed()]
    assert [event["event_type"] for event in place.events()].count("MAIN") == 3
    assert [text.count('"HANDLER"') for text in alone] == [1, 1, 1]
    assert [text.count("\n") for text in alone] == [1, 1, 1]
    assert place.losses() == {}


def test_a_signal_handler_may_record_while_the_first_event_loads_modules(place: Place) -> None:
    """Ours are loaded before: whoever interrupts an import would find half a module."""
    done = run_python(INTERRUPTED_AT_EVERY_IMPORT, environ=place.environ)

    kinds = Counter(event["event_type"] for event in place.events())
    assert done.stderr == ""
    assert kinds == Counter(MAIN=1, AFTER=1, HANDLER=int(done.stdout))


def test_an_exhausted_stack_is_not_the_callers_to_handle(place: Place) -> None:
    """With room for the call itself, an event at any depth comes back."""
    done = run_python(
        """
import sys
from telemetry_spool import event
event("FIRST")
def depth():
    frame, count = sys._getframe(), 0
    while frame is not None:
        frame, count = frame.f_back, count + 1
    return count
raised = []
for room in range(4, 120):
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(depth() + room)
    try:
        event("DEEP")
    except RecursionError:
        raised.append(room)
    finally:
        sys.setrecursionlimit(limit)
print(raised)
""",
        environ=place.environ,
    )

    assert json.loads(done.stdout) == []
