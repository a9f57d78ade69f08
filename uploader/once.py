"""Run the engine once: send what is in the spool now, and end."""

from __future__ import annotations

import math
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum

from telemetry_spool.consent import Mode
from telemetry_spool.ledger import LossLedger
from uploader.carrier import Signal
from uploader.config import UploaderConfig
from uploader.connector import carrier_for
from uploader.engine import Engine
from uploader.housekeeping import tidy
from uploader.lock import may_use, open_lock
from uploader.signals import answered
from uploader.status import StatusFile, activity_of

_KEPT = "an event is not answered well, or a segment is in use, unreadable or cannot be deleted"
_STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Ending(Enum):
    """How a single run ended."""

    DRAINED = "drained"
    KEPT = "kept"
    """It stopped before the end: the endpoint, consent or a signal would have it so."""
    BUSY = "busy"
    """Another uploader has this spool."""


@dataclass(frozen=True, slots=True)
class Result:
    """How a single run ended, why if not all was sent, and how many events were set aside."""

    ending: Ending
    reason: str
    rejected: int = 0


def drain(config: UploaderConfig, wait: float, progress: Callable[[Engine], None]) -> Result:
    """Send what is in the spool now and return; wait at most `wait` seconds for the endpoint.

    `progress` is called whenever something happened. Raises OSError if the spool cannot be used.
    """
    engine = Engine(config, carrier_for(config), random.random)

    def stop() -> None:
        engine.put(Signal.STOP)

    if not may_use(config.directories, engine.permission.consent.mode):
        return Result(Ending.DRAINED, "")
    lock = open_lock(config.directories)
    try:
        if not lock.acquire():
            return Result(Ending.BUSY, f"uploader {lock.holder()} has this spool")
        status = StatusFile(config)
        with answered(dict.fromkeys(_STOPPING, stop)):
            try:
                result = _go_on(engine, status, wait, progress)
            finally:
                engine.shut_down()
                progress(engine)
                tidy(config.directories, LossLedger(config.directories))
                status.ended(engine)
        return replace(result, rejected=engine.counters.rejected)
    finally:
        lock.close()
        engine.retire()


def _go_on(
    engine: Engine, status: StatusFile, wait: float, progress: Callable[[Engine], None]
) -> Result:
    patience_ends = time.monotonic() + wait
    while not engine.stopping:
        blocked = engine.closed_until > max(patience_ends, time.monotonic())
        patience = 0.0 if blocked else engine.work()
        status.update(engine)
        if blocked or not engine.permission.lately:
            _, reason, remedy = activity_of(engine)
            return Result(Ending.KEPT, "; ".join(filter(None, (reason, remedy))))
        if engine.idle and (engine.resumes_at or math.inf) > patience_ends:
            if engine.permission.consent.mode is not Mode.ON:
                return Result(Ending.KEPT, activity_of(engine)[1])
            return Result(Ending.KEPT, _KEPT) if engine.kept else Result(Ending.DRAINED, "")
        engine.wait(patience)
        progress(engine)
    return Result(Ending.KEPT, "stopped")
