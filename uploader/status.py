"""Say what the engine is doing, in a heartbeat."""

from __future__ import annotations

import logging
import os
import time
from datetime import UTC, datetime, timedelta

from telemetry_spool import __version__, heartbeat
from telemetry_spool.consent import Mode
from telemetry_spool.heartbeat import Activity, Heartbeat
from uploader.config import UploaderConfig
from uploader.engine import Engine
from uploader.outcome import Verdict

_BUSY_INTERVAL_SECONDS = 1.0

_log = logging.getLogger(__name__)


class StatusFile:
    """Writes heartbeats when there is something new to say, and now and then when there is not."""

    def __init__(self, config: UploaderConfig) -> None:
        """Write to the status file of the configured root."""
        self._config = config
        self._path = config.directories.status
        self._started = time.time()
        self._last: Heartbeat | None = None
        self._written_at = 0.0
        self._closed_until = 0.0

    def update(self, engine: Engine) -> None:
        """Write a heartbeat if one is due."""
        activity, reason, remedy = activity_of(engine)
        elapsed = time.monotonic() - self._written_at
        last = self._last
        if last is not None and elapsed < heartbeat.INTERVAL_SECONDS:
            same = (last.activity, last.reason, self._closed_until) == (
                activity,
                reason,
                engine.gate.closed_until,
            )
            counted = last.accepted + last.rejected
            news = engine.counters.accepted + engine.counters.rejected - counted
            if same and (not news or elapsed < _BUSY_INTERVAL_SECONDS):
                return
        self._closed_until = engine.gate.closed_until
        self._write(self._heartbeat(engine, activity, reason, remedy))

    def stopped(self, engine: Engine) -> None:
        """Write the last heartbeat, with the last figures."""
        self._write(self._heartbeat(engine, Activity.STOPPED, "", ""))

    def _heartbeat(self, engine: Engine, activity: Activity, reason: str, remedy: str) -> Heartbeat:
        now = datetime.now(tz=UTC)
        wait = engine.gate.closed_until - time.monotonic()
        waits = wait > 0 and activity is not Activity.STOPPED
        accepted_at = engine.counters.last_accepted_at
        return Heartbeat(
            pid=os.getpid(),
            host=os.uname().nodename,
            version=__version__,
            started=self._started,
            updated_at=now.isoformat(),
            endpoint=self._config.endpoint,
            activity=activity,
            reason=reason,
            remedy=remedy,
            next_attempt_at=(now + timedelta(seconds=wait)).isoformat() if waits else None,
            accepted=engine.counters.accepted,
            rejected=engine.counters.rejected,
            last_accepted_at=accepted_at.isoformat() if accepted_at else None,
        )

    def _write(self, news: Heartbeat) -> None:
        self._last = news
        self._written_at = time.monotonic()
        try:
            heartbeat.write(self._path, news)
        except OSError as error:
            _log.warning("%s cannot be written: %s", self._path, error.strerror)


def activity_of(engine: Engine) -> tuple[Activity, str, str]:
    """Return what the engine is doing, why it is not sending, and what a person can do."""
    consent = engine.consent
    if consent.mode is not Mode.ON:
        return Activity.PAUSED, f"mode {consent.mode.value}: {consent.rule}", ""
    trouble = engine.gate.trouble
    if trouble is not None:
        held = trouble.verdict is Verdict.HOLD
        return Activity.HELD if held else Activity.WAITING, trouble.reason, trouble.remedy
    return Activity.IDLE if engine.idle else Activity.SENDING, "", ""
