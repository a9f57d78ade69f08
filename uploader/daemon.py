"""The two ways to run the engine: as a daemon, and once."""

from __future__ import annotations

import logging
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from enum import Enum
from types import FrameType

from telemetry_spool.consent import Mode
from telemetry_spool.ledger import LossLedger
from uploader.config import UploaderConfig
from uploader.engine import Engine, Signal
from uploader.housekeeping import INTERVAL_SECONDS, tidy
from uploader.lock import UploaderLock
from uploader.status import StatusFile, activity_of
from uploader.transport import RequestsTransport, TransportFactory
from uploader.watch import watch

_KEPT = "an event is not answered well, or a segment is in use, unreadable or cannot be deleted"

_log = logging.getLogger(__name__)


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


def connector(config: UploaderConfig) -> TransportFactory:
    """Return what makes a transport for each lane."""

    def connect() -> RequestsTransport:
        return RequestsTransport(
            config.endpoint,
            config.connect_timeout,
            config.read_timeout,
            direct=config.direct,
            proxy=config.proxy,
            ca_bundle=config.ca_bundle,
        )

    return connect


def run(config: UploaderConfig) -> None:
    """Send what is in the spool and what comes, until SIGTERM or SIGINT.

    Raises OSError if the spool's directory can be neither made nor used.
    """
    engine = Engine(config, connector(config), random.random)
    with _stopped_by_signals(engine):
        used = False
        while _consent_to_directories(engine, config):
            try:
                lock = _open_lock(config)
            except OSError as error:
                if not used:
                    raise
                _log.warning("%s cannot be used: %s", config.directories.spool, error.strerror)
                engine.wait(config.rescan_interval)
                continue
            used = True
            with closing(lock):
                if _stand_by(engine, config, lock):
                    _drain_in_place(engine, config, lock)


def _consent_to_directories(engine: Engine, config: UploaderConfig) -> bool:
    """Wait until there is a spool or consent to make one; False if asked to stop meanwhile."""
    while not _may_use_directories(engine, config) and not engine.stopping:
        engine.wait(config.rescan_interval)
    return not engine.stopping


def _may_use_directories(engine: Engine, config: UploaderConfig) -> bool:
    return engine.consent.mode is Mode.ON or config.directories.spool.exists()


def _stand_by(engine: Engine, config: UploaderConfig, lock: UploaderLock) -> bool:
    """Wait for the lock; False if asked to stop meanwhile."""
    announced = False
    while not lock.acquire():
        if not announced:
            _log.warning("uploader %s has this spool: standing by", lock.holder())
            announced = True
        engine.wait(config.rescan_interval)
        if engine.stopping or not lock.in_place:
            return False
    return lock.in_place


def _drain_in_place(engine: Engine, config: UploaderConfig, lock: UploaderLock) -> None:
    """Drain until asked to stop, or until the spool is another directory: then lock and watch it.

    The lock and the watch would go on to be those of the directory that was deleted or moved away.
    """
    status = StatusFile(config)
    losses = LossLedger(config.directories)
    observer = watch(config.directories.spool, engine.ring)
    _log.info("sending from %s to %s", config.directories.spool, config.endpoint)
    next_tidying = 0.0
    engine.ring()
    try:
        while not engine.stopping and lock.in_place:
            if time.monotonic() >= next_tidying:
                tidy(config.directories, losses)
                next_tidying = time.monotonic() + INTERVAL_SECONDS
            patience = engine.work()
            status.update(engine)
            engine.wait(min(patience, config.rescan_interval))
        _log.info("stopping" if engine.stopping else "the spool was replaced: starting over")
    finally:
        if observer is not None:
            observer.stop()
        engine.shut_down()
        status.stopped(engine)


def once(config: UploaderConfig, wait: float, progress: Callable[[Engine], None]) -> Result:
    """Send what is in the spool now and return; wait at most `wait` seconds for the endpoint.

    `progress` is called whenever something happened. Raises OSError if the spool cannot be used.
    """
    engine = Engine(config, connector(config), random.random)
    if not _may_use_directories(engine, config):
        return Result(Ending.DRAINED, "")
    lock = _open_lock(config)
    try:
        if not lock.acquire():
            return Result(Ending.BUSY, f"uploader {lock.holder()} has this spool")
        status = StatusFile(config)
        with _stopped_by_signals(engine):
            try:
                result = _drain_once(engine, status, wait, progress)
            finally:
                engine.shut_down()
                progress(engine)
                tidy(config.directories, LossLedger(config.directories))
                status.stopped(engine)
        return replace(result, rejected=engine.counters.rejected)
    finally:
        lock.close()


def _drain_once(
    engine: Engine, status: StatusFile, wait: float, progress: Callable[[Engine], None]
) -> Result:
    patience_ends = time.monotonic() + wait
    while not engine.stopping:
        status.update(engine)
        blocked = engine.gate.closed_until > max(patience_ends, time.monotonic())
        if blocked or engine.consent.mode is not Mode.ON:
            _, reason, remedy = activity_of(engine)
            return Result(Ending.KEPT, "; ".join(filter(None, (reason, remedy))))
        patience = engine.work()
        resumes_at = engine.resumes_at
        if engine.idle and (resumes_at is None or resumes_at > patience_ends):
            return Result(Ending.KEPT, _KEPT) if engine.kept else Result(Ending.DRAINED, "")
        engine.wait(patience)
        progress(engine)
    return Result(Ending.KEPT, "stopped")


def _open_lock(config: UploaderConfig) -> UploaderLock:
    config.directories.root.mkdir(mode=0o700, parents=True, exist_ok=True)
    config.directories.spool.mkdir(mode=0o700, parents=True, exist_ok=True)
    return UploaderLock(config.directories.uploader_lock)


@contextmanager
def _stopped_by_signals(engine: Engine) -> Iterator[None]:
    def stop(_number: int, _frame: FrameType | None) -> None:
        engine.mailbox.put(Signal.STOP)  # a SimpleQueue may be used in a signal handler

    before = {
        number: signal.signal(number, stop)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
        if signal.getsignal(number) is not signal.SIG_IGN  # as nohup leaves SIGHUP
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
