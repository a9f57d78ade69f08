"""The daemon: the engine at work until it is asked to stop, and told to the service manager."""

from __future__ import annotations

import logging
import os
import random
import signal
import time
from collections.abc import Callable
from contextlib import closing

from telemetry_spool.ledger import LossLedger
from uploader.carrier import Signal
from uploader.config import UploaderConfig
from uploader.connector import carrier_for
from uploader.engine import Engine
from uploader.housekeeping import INTERVAL_SECONDS, tidy
from uploader.lock import UploaderLock, may_use, open_lock
from uploader.notify import Notifier
from uploader.reloading import Settings
from uploader.signals import answered, has_terminal
from uploader.status import StatusFile, in_one_line
from uploader.watch import Watch

SETTLE_SECONDS = 60.0
"""How long new settings wait for requests under way: systemd gives a reload 90 s."""

_log = logging.getLogger(__name__)


def run(load: Callable[[], UploaderConfig]) -> None:
    """Send what is in the spool and what comes, until SIGTERM or SIGINT.

    SIGHUP reloads the settings, or stops a daemon whose terminal has been closed. Raises
    SettingError, and OSError if the spool's directory can be neither made nor used.
    """
    daemon = Daemon(load, Notifier(os.environ, os.getpid()))
    answers = {
        signal.SIGTERM: daemon.stop,
        signal.SIGINT: daemon.stop,
        signal.SIGHUP: daemon.hang_up,
    }
    with answered(answers):
        daemon.serve()


class Daemon:
    """One engine after the other, each with the settings of its time."""

    def __init__(self, load: Callable[[], UploaderConfig], notifier: Notifier) -> None:
        """Work with the settings that `load` returns, now and at each reload."""
        self._settings = Settings(load)
        self._notifier = notifier
        self._engine = self._new_engine()
        self._started = time.time()
        self._had_terminal = has_terminal()
        self._stopping = False
        self._reload_asked = False
        self._used = False
        self._notice = ""

    @property
    def _config(self) -> UploaderConfig:
        return self._settings.now

    def _new_engine(self) -> Engine:
        return Engine(self._config, carrier_for(self._config), random.random)

    def stop(self) -> None:
        """End soon. For a signal handler: it sets a flag and ends a wait."""
        self._stopping = True
        self._engine.put(Signal.STOP)

    def hang_up(self) -> None:
        """End if the terminal has been closed, else reload the settings. For a signal handler."""
        if self._had_terminal and not has_terminal():
            self.stop()
            return
        self._reload_asked = True
        self._engine.put(Signal.LOOK)

    def serve(self) -> None:
        """Work until asked to stop. Raises OSError if the spool could not be used even once."""
        try:
            while not self._stopping:
                self._serve_one_spool()
                if self._reload_asked and self._reload():
                    self._renew_engine()
        finally:
            self._engine.retire()

    def _serve_one_spool(self) -> None:
        """Work with one spool directory until there is another one, or something to be done."""
        if not self._may_use_directories():
            return
        directories = self._config.directories
        try:
            lock = open_lock(directories)
        except OSError as error:
            if not self._used:
                raise
            problem = f"{directories.spool} cannot be used: {error.strerror}"
            _log.warning("%s", problem)
            self._notifier.ready(problem)
            self._wait(self._config.rescan_interval)
            return
        self._used = True
        with closing(lock):
            held = self._stand_by(lock)
            while held:
                self._drain(lock)
                same = self._config.directories == directories
                held = same and lock.in_place and not self._stopping

    def _may_use_directories(self) -> bool:
        """Wait until there is a spool or consent to make one; False if interrupted meanwhile."""
        while not self._interrupted:
            consent = self._engine.permission.consent
            if may_use(self._config.directories, consent.mode):
                return True
            self._notifier.ready(f"paused: mode {consent.mode.value}: {consent.rule}")
            self._wait(self._config.rescan_interval)
        return False

    @property
    def _interrupted(self) -> bool:
        return self._stopping or self._reload_asked

    def _stand_by(self, lock: UploaderLock) -> bool:
        """Wait for the lock; False if interrupted meanwhile."""
        announced = False
        while not lock.acquire():
            if not announced:
                standing = f"uploader {lock.holder()} has this spool: standing by"
                _log.warning("%s", standing)
                self._notifier.ready(standing)
                announced = True
            self._wait(self._config.rescan_interval)
            if self._interrupted or not lock.in_place:
                return False
        return lock.in_place

    def _drain(self, lock: UploaderLock) -> None:
        """Drain until asked to stop, until there are new settings, or a new spool directory.

        The lock and the watch would go on to be those of the directory that was deleted or moved
        away.
        """
        engine, config = self._engine, self._config
        status = StatusFile(config, self._started)
        losses = LossLedger(config.directories)
        watch = Watch(config.directories.spool, config.poll_interval, engine.ring)
        self._say_once(watch.notice)
        _log.info("sending from %s to %s", config.directories.spool, config.endpoint)
        next_tidying = 0.0
        engine.ring()
        try:
            while lock.in_place and not self._leaves(config):
                if time.monotonic() >= next_tidying:
                    tidy(config.directories, losses)
                    next_tidying = time.monotonic() + INTERVAL_SECONDS
                patience = engine.work()
                heartbeat = status.update(engine)
                if heartbeat is not None:
                    self._notifier.ready(in_one_line(heartbeat, engine.backlog.segments))
                self._wait(min(patience, config.rescan_interval, watch.poll()))
            if self._config is not config:
                self._settle(engine)
            else:
                _log.info("stopping" if self._stopping else "the spool was replaced: starting over")
        finally:
            watch.close()
            engine.shut_down()
            if not self._goes_on_with_others(config):
                status.stopped(engine)
        if self._config is not config:
            self._renew_engine()

    def _say_once(self, notice: str) -> None:
        if notice and notice != self._notice:
            _log.warning("%s", notice)
        self._notice = notice

    def _leaves(self, config: UploaderConfig) -> bool:
        """Tell whether these settings are no longer to be worked with."""
        if self._reload_asked:
            self._reload()
        elif self._engine.permission.outdated and self._settings.follow():
            self._notifier.reloading()
        return self._stopping or self._config is not config

    def _goes_on_with_others(self, config: UploaderConfig) -> bool:
        """Tell whether the same spool is to be drained with other settings than these."""
        new = self._config is not config and self._config.directories == config.directories
        return new and not self._stopping

    def _reload(self) -> bool:
        """Load the settings anew; False if they are wrong, which changes nothing."""
        self._reload_asked = False
        self._notifier.reloading()
        if self._settings.reload():
            return True
        self._notifier.ready()
        return False

    def _settle(self, engine: Engine) -> None:
        """Wait for requests under way, for as long as a service manager waits for new settings."""
        deadline = time.monotonic() + SETTLE_SECONDS
        while engine.under_way and not self._stopping and time.monotonic() < deadline:
            self._wait(deadline - time.monotonic())

    def _renew_engine(self) -> None:
        """Go on with an engine that has the settings of now, and the figures of the last one."""
        last = self._engine
        self._engine = self._new_engine()
        self._engine.counters.go_on(last.counters)
        last.retire()

    def _wait(self, seconds: float) -> None:
        """Wait, and show that the main loop goes round. Everything that waits does it here."""
        self._notifier.alive()
        self._engine.wait(min(seconds, self._notifier.interval))
        if self._stopping:
            self._notifier.stopping()
