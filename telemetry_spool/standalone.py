"""`event()` for programs without Flower: the same payload, built here."""

from __future__ import annotations

import json
import logging
import os
import sys
import uuid
from functools import cache
from typing import Any

from telemetry_spool import identity, machine
from telemetry_spool.consent import Mode
from telemetry_spool.context import ContextTemplate
from telemetry_spool.dates import Dates
from telemetry_spool.recorder import default_recorder, warn

_OFF = Mode.OFF


def event(event_type: str, details: dict[str, Any] | None = None) -> None:
    """Record one event: `details` is a dictionary that JSON can express.

    When this returns, the event is in the spool, unless consent forbids it or the spool cannot be
    written. It never raises, prints or blocks for longer than the lock's bounded wait; with
    `FLWR_TELEMETRY_LOGGING=1` it logs the event to stderr as Flower does.
    """
    try:
        _producer().event(event_type, details)
    except RecursionError:
        return  # the stack is full: nothing that counts the loss could be called
    except Exception as error:  # noqa: BLE001 - the boundary to the host program
        _warn_once(f"an event was lost: there is no recorder to count it: {error!r}")


@cache
def _warn_once(message: str) -> None:
    warn(message)


class _Producer:
    """Builds events; what cannot change while a process lives is looked up once."""

    def __init__(self) -> None:
        self._recorder = default_recorder()
        self._logging = os.environ.get("FLWR_TELEMETRY_LOGGING") == "1"
        self._template: ContextTemplate | None = None
        self._dates = Dates()

    def event(self, event_type: str, details: dict[str, Any] | None) -> None:
        try:
            mode = self._recorder.consent().mode
            if mode is _OFF and not self._logging:
                return
            date = self._dates.now()
            line = (self._template or self._context(mode)).line(event_type, details, date)
            if self._logging:
                _logger().debug(" - ".join([date, "POST", line.decode()]))
        except Exception as error:  # noqa: BLE001 - the boundary to the host program
            self._recorder.lost(f"the event could not be built: {error!r}")
        else:
            self._recorder.record(line, mode)

    def _context(self, mode: Mode) -> ContextTemplate:
        if mode is _OFF:
            return new_context(create_source=False)
        if self._template is None:
            self._template = new_context(create_source=True)
        return self._template


@cache
def _producer() -> _Producer:
    return _Producer()


def new_context(*, create_source: bool) -> ContextTemplate:
    """Build the context that Flower builds; `create_source` may write the source id file."""
    name, version = flower_package()
    context = {
        "partner": identity.partner_id(),
        "source": identity.source_id(create=create_source),
        "cluster": _cluster_id(),
        "date": "",
        "flower": {"package_name": name, "package_version": version},
        "hw": {"cpu_count": os.cpu_count()},
        "platform": machine.facts(),
    }
    before, date, after = json.dumps(context).partition('"date": "')
    return ContextTemplate(before + date, after)


@cache
def _cluster_id() -> str:
    """Return the random id of this run: in memory only, shared with forked children."""
    return str(uuid.uuid4())


def flower_package() -> tuple[str, str]:
    """Return name and version of the Flower distribution, ("unknown", "unknown") without one.

    Looks at directory names: `importlib.metadata` would load `email` and with it `socket`.
    """
    for directory in sys.path:
        try:
            names = os.listdir(directory or ".")
        except OSError:
            continue
        for distribution in ("flwr", "flwr_nightly"):
            for name in names:
                if name.startswith(f"{distribution}-") and name.endswith(".dist-info"):
                    version = name.removeprefix(f"{distribution}-").removesuffix(".dist-info")
                    return distribution.replace("_", "-"), version
    return "unknown", "unknown"


@cache
def _logger() -> logging.Logger:
    """Return Flower's telemetry logger, with Flower's format if Flower has not set it up."""
    logger = logging.getLogger("flwr-telemetry")
    if not logger.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(
            logging.Formatter(
                "%(levelname)s %(name)s %(asctime)s | %(filename)s:%(lineno)d | %(message)s"
            )
        )
        logger.addHandler(handler)
        logger.setLevel(logging.DEBUG)
    return logger
