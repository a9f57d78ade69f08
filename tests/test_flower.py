"""The bridge from a telemetry module of Flower to the spool, with modules made for the purpose.

What real Flower versions do with it is tested under `tests/flower`.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from telemetry_spool import flower
from telemetry_spool.consent import Mode, choose
from telemetry_spool.flower import install, misfit, patch_quietly
from telemetry_spool.paths import mode_file
from tests.conftest import DEADLINE_SECONDS, FLOWER_TELEMETRY, Place

NAME = "flwr.common.telemetry"


def made(*replacements: tuple[str, str]) -> Any:
    """Return a telemetry module made from the text with these replacements, not patched yet."""
    text = FLOWER_TELEMETRY
    for old, new in replacements:
        assert old in text
        text = text.replace(old, new)
    module = ModuleType(NAME)
    exec(text, vars(module))
    return module


@pytest.fixture
def here(place: Place, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Make this process record into the place."""
    monkeypatch.setenv("FLWR_TELEMETRY_DIR", str(place.root))
    return place


@pytest.fixture
def patched(here: Place) -> Any:
    """Return a patched telemetry module of this process."""
    assert not here.root.exists()
    module = made()
    patch_quietly(module)
    return module


def test_an_event_is_on_disk_when_the_call_returns(patched: Any, here: Place) -> None:
    """No thread is started; the future is done, so that nobody waits for it at exit."""
    threads = threading.active_count()

    future = patched.event(patched.EventType.RUN_ENTER, {"n": 1})

    assert future.done()
    assert future.result() == '{"status": "spooled"}'
    assert threading.active_count() == threads
    (event,) = here.events()
    assert (event["event_type"], event["event_details"]) == ("RUN_ENTER", {"n": 1})


def test_the_line_is_the_body_that_flower_would_have_sent(patched: Any, here: Place) -> None:
    """Byte for byte, for the first event and for those after it."""
    patched.FLWR_TELEMETRY_LOGGING = "1"
    for details in (None, {"ü": [1, 2.5, None]}, {}):
        patched.event("RUN", details)

    assert here.lines() == [body.encode() for body in patched.logged]


def test_only_the_first_event_is_built_by_flower(patched: Any, here: Place) -> None:
    """The context is used again with a new date: building it is what is slow."""
    for event_type in ("FIRST", "SECOND", "THIRD"):
        assert patched.event(event_type).result() == '{"status": "spooled"}'

    assert patched.created == ["FIRST"]
    contexts = [event["context"] for event in here.events()]
    assert [event["event_type"] for event in here.events()] == ["FIRST", "SECOND", "THIRD"]
    assert len({json.dumps(context | {"date": ""}) for context in contexts}) == 1
    assert [context["date"] for context in contexts] == sorted(
        {context["date"] for context in contexts}
    )


def test_with_flowers_logging_each_event_is_built_by_flower(patched: Any, here: Place) -> None:
    """Because Flower's own code writes the log line."""
    patched.FLWR_TELEMETRY_LOGGING = "1"

    for event_type in ("FIRST", "SECOND"):
        patched.event(event_type)

    assert patched.created == ["FIRST", "SECOND"]
    assert len(here.lines()) == 2


def test_a_context_that_cannot_be_taken_apart_is_built_each_time(here: Place) -> None:
    """A payload of another shape is recorded as it is."""
    module = made(('"event_type": event_type,', '"new": 1, "event_type": event_type,'))
    patch_quietly(module)

    for event_type in ("FIRST", "SECOND"):
        assert module.event(event_type).result() == '{"status": "spooled"}'

    assert module.created == ["FIRST", "SECOND"]
    assert [event["new"] for event in here.events()] == [1, 1]


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("def create_event(", "def create_events(", "no create_event() of its own"),
        ("def event(", "def record(", "no event()"),
        ("FLWR_TELEMETRY_ENABLED = ", "ENABLED = ", "no FLWR_TELEMETRY_ENABLED"),
        ("FLWR_TELEMETRY_LOGGING = os", "FLWR_TELEMETRY_LOGGING = 1 or os", "no FLWR_TELEMETRY_L"),
        ("urllib.request.urlopen(", "open_url(", "does not send with urllib.request"),
        ("urllib.request.Request(", "dict(", "does not send with urllib.request"),
        ("create_event(event_type, ", "create_event(kind, ", "takes other arguments"),
        ("event_details):\n    created", "event_details, run=0):\n    created", "takes other"),
    ],
)
def test_a_module_that_is_not_as_expected_is_left_as_it_was(
    here: Place, old: str, new: str, reason: str
) -> None:
    """Nothing of it changes, and the reason can be asked for."""
    module = made((old, new))
    before = dict(vars(module))

    patch_quietly(module)

    why = misfit(module)
    assert why is not None
    assert reason in why
    assert vars(module) == before
    assert not here.root.exists()


def test_a_module_as_expected_has_no_misfit() -> None:
    """Before it is patched and after."""
    module = made()
    assert misfit(module) is None

    patch_quietly(module)

    assert misfit(module) is None


def test_an_imported_create_event_is_not_the_modules_own() -> None:
    """What it would call to send is in another module's hands."""
    module = made()
    module.create_event = made().create_event

    assert misfit(module) == "it has no create_event() of its own"


def test_a_module_is_patched_once(patched: Any, here: Place) -> None:
    """By the start-up file, by `install()`, or by both."""
    event = patched.event

    patch_quietly(patched)
    patched.event("RUN")

    assert patched.event is event
    assert len(here.lines()) == 1


def test_install_patches_what_is_loaded_and_what_will_be(
    here: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both orders of import work."""
    module = made()
    monkeypatch.setitem(sys.modules, NAME, module)
    monkeypatch.setattr(sys, "meta_path", [])

    install()
    module.event("RUN")

    assert len(sys.meta_path) == 1
    assert len(here.lines()) == 1


def test_a_module_that_cannot_be_patched_does_not_fail_its_import(
    here: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever goes wrong in the bridge, Flower is imported."""

    def broken() -> None:
        raise RuntimeError("of the wrong kind")

    monkeypatch.setattr(flower, "default_recorder", broken)
    module = made()
    before = module.event

    patch_quietly(module)

    assert module.event is before
    assert not here.root.exists()


@pytest.mark.parametrize("first", [True, False], ids=["first event", "later event"])
@pytest.mark.parametrize(
    ("mode", "answer", "kinds"),
    [
        (Mode.ON, '{"status": "spooled"}', ["active"]),
        (Mode.LOCAL, '{"status": "spooled"}', ["local"]),
        (Mode.OFF, "disabled", []),
    ],
)
def test_the_mode_is_asked_for_at_each_event(
    patched: Any, here: Place, mode: Mode, answer: str, kinds: list[str], *, first: bool
) -> None:
    """Also for the events that Flower no longer builds."""
    if not first:
        patched.event("BEFORE")
        here.active().unlink()
    path = mode_file()
    assert path is not None
    choose(path, mode)

    future = patched.event("RUN")

    assert future.result() == answer
    assert [name.split(".")[-2] for name in here.names()] == kinds


@pytest.mark.parametrize("variable", ["FLWR_TELEMETRY_ENABLED", "DO_NOT_TRACK"])
def test_what_is_off_is_neither_built_nor_recorded(
    here: Place, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """Flower's own switch and the general one; no directory is made."""
    monkeypatch.setenv(variable, "2")
    module = made()
    patch_quietly(module)

    assert module.event("RUN").result() == "disabled"
    assert module.created == []
    assert not here.root.exists()


def test_flowers_switch_is_read_where_flower_reads_it(patched: Any, here: Place) -> None:
    """A program may set the module's variable after the import."""
    patched.event("BEFORE")

    patched.FLWR_TELEMETRY_ENABLED = "0"

    assert patched.event("RUN").result() == "disabled"
    assert len(here.lines()) == 1


def test_details_that_cannot_be_expressed_are_in_the_future_and_in_the_ledger(
    patched: Any, here: Place
) -> None:
    """As in Flower the future carries the error; first event or later."""
    for _ in range(2):
        future = patched.event("BAD", {"key": object()})
        assert isinstance(future.exception(), TypeError)
        patched.event("GOOD")

    assert [event["event_type"] for event in here.events()] == ["GOOD", "GOOD"]
    assert sum(here.losses().values()) == 2


def test_a_spool_that_cannot_be_written_never_falls_back_to_the_network(
    patched: Any, here: Place
) -> None:
    """The event is lost, and the program goes on."""
    here.root.write_bytes(b"in the way")

    assert [patched.event("RUN").result() for _ in range(2)] == ["disabled", "disabled"]


def test_a_source_id_that_cannot_be_made_costs_only_itself(here: Place) -> None:
    """Flower handles a PermissionError and loses every event to any other OSError."""
    module = made(
        ('    return "unavailable"\n', '    raise OSError(30, "Read-only file system")\n')
    )
    patch_quietly(module)

    module.event("RUN")

    (event,) = here.events()
    assert event["context"]["source"] == "unavailable"


def too_late(*_: object) -> None:
    """End a wait that would not end by itself."""
    raise TimeoutError


def slow(module: Any, act: Callable[[], object]) -> None:
    """Have `act` happen in the middle of `create_event()`, with its lock held."""
    names = vars(module)
    get_source_id = names["_get_source_id"]

    def interrupted() -> str:
        names["_get_source_id"] = get_source_id
        act()
        source: str = get_source_id()
        return source

    names["_get_source_id"] = interrupted


def test_a_signal_handler_may_record_in_the_middle_of_the_first_event(
    patched: Any, here: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The handler runs in the thread that has the lock: it must not wait for itself."""
    monkeypatch.setattr(flower, "_FIRST_EVENT_WAIT_SECONDS", 10 * DEADLINE_SECONDS)
    handlers = {
        signal.SIGUSR1: signal.signal(signal.SIGUSR1, lambda *_: patched.event("HANDLER")),
        signal.SIGALRM: signal.signal(signal.SIGALRM, too_late),
    }
    signal.alarm(int(DEADLINE_SECONDS))
    try:
        slow(patched, lambda: signal.raise_signal(signal.SIGUSR1))
        patched.event("FIRST")
    finally:
        signal.alarm(0)
        for number, handler in handlers.items():
            signal.signal(number, handler)

    assert sorted(event["event_type"] for event in here.events()) == ["FIRST", "HANDLER"]


def test_threads_at_once_are_of_one_cluster(here: Place) -> None:
    """The first event is built by one of them, the others wait for its context."""
    threads = 8
    module = made(
        (
            '        state["cluster"] = str(uuid.uuid4())',
            '        import time; time.sleep(0.01); state["cluster"] = str(uuid.uuid4())',
        )
    )
    patch_quietly(module)
    together = threading.Barrier(threads)

    def record(number: int) -> None:
        together.wait()
        module.event("RUN", {"n": number})

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(record, range(threads)))

    events = here.events()
    assert sorted(event["event_details"]["n"] for event in events) == list(range(threads))
    assert len({event["context"]["cluster"] for event in events}) == 1


def test_a_child_forked_in_the_middle_of_the_first_event_comes_back(
    patched: Any, here: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has a copy of a lock that nobody will release, and waits for it a bounded time."""
    monkeypatch.setattr(flower, "_FIRST_EVENT_WAIT_SECONDS", 0.01)
    inside, go_on = threading.Event(), threading.Event()

    def pause() -> None:
        inside.set()
        go_on.wait(DEADLINE_SECONDS)

    slow(patched, pause)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(patched.event, "FIRST")
        assert inside.wait(DEADLINE_SECONDS)
        child = os.fork()
        if child == 0:
            signal.alarm(int(DEADLINE_SECONDS))
            patched.event("CHILD")
            os._exit(0)
        _, status = os.waitpid(child, 0)
        go_on.set()
        wait_for([first])

    assert status == 0
    assert sorted(event["event_type"] for event in here.events()) == ["CHILD", "FIRST"]


def test_the_bridge_needs_nothing_of_the_network(patched: Any) -> None:
    """What the module calls `urllib` is no longer the standard library's."""
    import urllib.request

    assert patched.urllib is not urllib
    assert patched.urllib.request.urlopen is not urllib.request.urlopen
    assert issubclass(patched.urllib.error.URLError, OSError)
    assert Path(urllib.request.__file__).name == "request.py"


@pytest.mark.parametrize(
    ("mode", "switch"), [(None, "1"), (Mode.ON, "1"), (Mode.LOCAL, "0"), (Mode.OFF, "0")]
)
def test_a_flower_that_cannot_be_spooled_sends_nothing_without_consent(
    here: Place, mode: Mode | None, switch: str
) -> None:
    """Its own switch is turned off: what may not be uploaded must not leave by another way."""
    where = mode_file()
    assert where is not None
    if mode is not None:
        choose(where, mode)
    module = made(("urllib.request.urlopen(", "open_url("))

    patch_quietly(module)

    assert switch == module.FLWR_TELEMETRY_ENABLED
    assert not here.root.exists()


@pytest.mark.usefixtures("here")
def test_a_flower_is_silent_where_the_spool_cannot_be_had(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever goes wrong on our side, it never falls back to the network."""

    def fail() -> None:
        raise RuntimeError("no recorder")

    monkeypatch.setattr(flower, "default_recorder", fail)
    module = made()

    patch_quietly(module)

    assert module.FLWR_TELEMETRY_ENABLED == "0"


def test_a_reloaded_module_is_patched_again(patched: Any, here: Place) -> None:
    """A reload executes Flower's source in the same module."""
    exec(FLOWER_TELEMETRY, vars(patched))
    patch_quietly(patched)

    patched.event("PING", {}).result()

    assert len(here.events()) == 1


@pytest.mark.usefixtures("here")
def test_install_does_nothing_where_it_is_forbidden(monkeypatch: pytest.MonkeyPatch) -> None:
    """`FLWR_TELEMETRY_SPOOL=0` leaves modules alone that are loaded already."""
    monkeypatch.setenv("FLWR_TELEMETRY_SPOOL", "0")
    module = made()
    monkeypatch.setitem(sys.modules, NAME, module)
    before = dict(vars(module))

    install()

    assert dict(vars(module)) == before
