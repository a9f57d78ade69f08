"""Make Flower's own telemetry append to the spool instead of opening a connection.

Flower keeps deciding what is reported: its `create_event()` still builds, logs and serialises the
payload. Only what that function calls to transmit it, `urllib.request`, is another object now.
"""

from __future__ import annotations

import sys
import threading
from concurrent.futures import Future
from functools import wraps
from inspect import (
    CO_ASYNC_GENERATOR,
    CO_COROUTINE,
    CO_GENERATOR,
    CO_VARARGS,
    CO_VARKEYWORDS,
)
from types import CodeType, ModuleType, SimpleNamespace, TracebackType
from typing import Any
from urllib import error as urllib_error

from telemetry_spool import startup
from telemetry_spool.consent import Mode
from telemetry_spool.context import ContextTemplate, template_of
from telemetry_spool.dates import Dates
from telemetry_spool.recorder import Recorder, default_recorder, warn

# The first event of a process takes some 30 ms; a fork in that time copies a lock that nobody
# will ever release, and then the child waits for this long, once for us and once for Flower.
_FIRST_EVENT_WAIT_SECONDS = 0.5

_SPOOLED = '{"status": "spooled"}'
_DISABLED = "disabled"
_MARK = "__telemetry_spool__"
_SWITCH = "FLWR_TELEMETRY_ENABLED"
_OTHER_CALLS = CO_VARARGS | CO_VARKEYWORDS | CO_COROUTINE | CO_GENERATOR | CO_ASYNC_GENERATOR


def install() -> None:
    """Do by hand what the start-up file does: patch Flower now if loaded, else when it is imported.

    Import Flower afterwards where possible: modules that took `event` from Flower before keep
    Flower's thread, which appends to the spool too but may not live to see the end of the process.
    """
    if not startup.arm():
        return
    for name in startup.TELEMETRY_MODULES:
        if name in sys.modules:
            patch_quietly(sys.modules[name])


def patch_quietly(module: ModuleType) -> None:
    """Patch a telemetry module of Flower, or leave it as it is; never raise into its importer.

    Flower is left as it is where it looks unfamiliar and consent is `on`. Otherwise nothing may
    leave the machine by this way either, so Flower's own switch is turned off.
    """
    try:
        if is_spooled(module):
            return
        problem = misfit(module)
        recorder = default_recorder()
        if problem is None:
            _patch(module, recorder)
            return
        may_send = recorder.consent().mode is Mode.ON
    except Exception as error:  # noqa: BLE001 - the import of Flower must not fail because of us
        problem, may_send = repr(error), False
    if not may_send and hasattr(module, _SWITCH):
        setattr(module, _SWITCH, "0")
    warn(f"{module.__name__} is not spooled: {problem}")


def is_spooled(module: ModuleType) -> bool:
    """Tell whether this telemetry module appends to the spool."""
    return hasattr(getattr(module, "event", None), _MARK)


def misfit(module: ModuleType) -> str | None:
    """Say what about a telemetry module is not as expected; None if it can be patched."""
    create_event = getattr(module, "create_event", None)
    code = getattr(create_event, "__code__", None)
    if code is None or getattr(create_event, "__globals__", None) is not vars(module):
        return "it has no create_event() of its own"
    if not callable(getattr(module, "event", None)):
        return "it has no event()"
    for function in ("event", "create_event"):
        if not _takes_an_event(getattr(module, function, None)):
            return f"its {function}() takes other arguments"
    for name in (_SWITCH, "FLWR_TELEMETRY_LOGGING"):
        if not isinstance(getattr(module, name, None), str):
            return f"it has no {name}"
    if not {"urllib", "request", "Request", "urlopen"} <= set(code.co_names):
        return "its create_event() does not send with urllib.request"
    return None


def _takes_an_event(function: object) -> bool:
    """Tell whether a plain function takes `event_type` and `event_details` and nothing else."""
    code: CodeType | None = getattr(function, "__code__", None)
    if code is None or code.co_flags & _OTHER_CALLS or code.co_kwonlyargcount:
        return False
    return code.co_varnames[: code.co_argcount] == ("event_type", "event_details")


def _patch(module: ModuleType, recorder: Recorder) -> None:
    bridge = _Bridge(module, recorder)
    flower: Any = module
    replaced = flower.event

    @wraps(replaced)
    def event(event_type: str, event_details: dict[str, Any] | None = None) -> Future[str]:
        return bridge.event(event_type, event_details)

    flower.urllib = SimpleNamespace(
        request=SimpleNamespace(Request=_Request, urlopen=bridge.urlopen), error=urllib_error
    )
    if hasattr(module, "state_lock"):
        flower.state_lock = bridge.first_event
    if hasattr(module, "_get_source_id"):
        names = vars(module)
        names["_get_source_id"] = _unavailable_on_error(names["_get_source_id"])
    setattr(event, _MARK, True)
    flower.event = event


def _unavailable_on_error(get_source_id: Any) -> Any:
    """Let a read-only home cost the source id only: Flower expects PermissionError and no other."""

    @wraps(get_source_id)
    def tolerant() -> str:
        try:
            source: str = get_source_id()
        except OSError:
            return "unavailable"
        return source

    return tolerant


class _Request:
    """Stands in for `urllib.request.Request`: keeps the body, which is the event's line."""

    def __init__(self, *, data: bytes, **_: object) -> None:
        self.data = data


class _Answer:
    """Stands in for the response of `urlopen`."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def __enter__(self) -> _Answer:
        return self

    def __exit__(self, *exception: object) -> None:
        pass

    def read(self) -> bytes:
        return self._body


class _BoundedLock:
    """A lock for `with` that the same thread may take again and that nobody waits for too long.

    `event()` runs in the thread of its caller, also in a signal handler that interrupted another
    event and in a child forked while a thread held the lock: it must come back all the same.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._mine = threading.local()

    def __enter__(self) -> None:
        taken = self._lock.acquire(timeout=_FIRST_EVENT_WAIT_SECONDS)
        self._stack().append(taken)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._stack().pop():
            self._lock.release()

    def _stack(self) -> list[bool]:
        stack: list[bool] = self._mine.__dict__.setdefault("stack", [])
        return stack


class _Bridge:
    """From one telemetry module of Flower to the spool."""

    def __init__(self, module: ModuleType, recorder: Recorder) -> None:
        self._flower: Any = module
        self._recorder = recorder
        self._template: ContextTemplate | None = None
        self._dates = Dates()
        self.first_event = _BoundedLock()

    def event(self, event_type: str, details: dict[str, Any] | None) -> Future[str]:
        """Do what Flower's `event()` does, at once; return a future that is done."""
        future: Future[str] = Future()
        try:
            future.set_result(self._event(event_type, details))
        except Exception as error:  # noqa: BLE001 - as in Flower, the future carries it
            future.set_exception(error)
            self._recorder.lost(f"Flower could not build the event: {error!r}")
        return future

    def _event(self, event_type: str, details: dict[str, Any] | None) -> str:
        mode = self._recorder.consent().mode
        enabled = self._flower.FLWR_TELEMETRY_ENABLED == "1"
        logging_wanted = self._flower.FLWR_TELEMETRY_LOGGING == "1"
        if not logging_wanted:
            if mode is Mode.OFF or not enabled:
                return _DISABLED
            if self._template is not None:
                line = self._template.line(event_type, details, self._dates.now())
                spooled = self._recorder.record(line, mode)
                return _SPOOLED if spooled else _DISABLED
        with self.first_event:
            answer: str = self._flower.create_event(event_type, details)
            return answer

    def urlopen(self, request: _Request, **_: object) -> _Answer:
        """Stand in for `urllib.request.urlopen`: append the body to the spool."""
        spooled = self._recorder.record(request.data, self._recorder.consent().mode)
        if self._template is None:
            self._template = template_of(request.data)
        return _Answer((_SPOOLED if spooled else _DISABLED).encode())
