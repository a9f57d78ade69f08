"""Say what the engine is doing, in a heartbeat."""

from __future__ import annotations

import logging
import os
import time
from datetime import UTC, datetime, timedelta

from telemetry_spool import __version__, heartbeat
from telemetry_spool.consent import Mode
from telemetry_spool.dropbox import is_shared
from telemetry_spool.heartbeat import Activity, Heartbeat
from telemetry_spool.text import counted
from uploader.config import UploaderConfig
from uploader.engine import Engine
from uploader.outcome import Verdict

_BUSY_INTERVAL_SECONDS = 1.0

_log = logging.getLogger(__name__)


class StatusFile:
    """Writes heartbeats when there is something new to say, and now and then when there is not."""

    def __init__(self, config: UploaderConfig, started: float | None = None) -> None:
        """Write to the status file of the configured root.

        `started` is when the uploader did, in seconds of the epoch; now if it is left out.
        """
        self._config = config
        self._path = config.directories.status
        self._started = time.time() if started is None else started
        self._last: Heartbeat | None = None
        self._written_at = 0.0
        self._closed_until = 0.0

    def update(self, engine: Engine) -> Heartbeat | None:
        """Write a heartbeat if one is due, and return it."""
        elapsed = time.monotonic() - self._written_at
        last = self._last
        if elapsed < _BUSY_INTERVAL_SECONDS and _goes_on(last, engine):
            return None
        activity, reason, remedy = activity_of(engine)
        if last is not None and elapsed < heartbeat.INTERVAL_SECONDS:
            same = (last.activity, last.reason, self._closed_until) == (
                activity,
                reason,
                engine.gate.closed_until,
            )
            told = last.accepted + last.rejected
            decided = engine.counters.accepted + engine.counters.rejected
            if same and (decided == told or elapsed < _BUSY_INTERVAL_SECONDS):
                return None
        self._closed_until = engine.gate.closed_until
        news = self._heartbeat(engine, activity, reason, remedy)
        self._write(news)
        return news

    def stopped(self, engine: Engine) -> None:
        """Write the last heartbeat, with the last figures."""
        self._write(self._heartbeat(engine, Activity.STOPPED, "", ""))

    def ended(self, engine: Engine) -> None:
        """Write the last heartbeat of a single run: with why it has left what it left."""
        activity, reason, remedy = activity_of(engine)
        if activity is Activity.PAUSED:
            reason = ""  # consent may be another one by the time that this is read
        self._write(self._heartbeat(engine, Activity.ENDED, reason, remedy))

    def _heartbeat(self, engine: Engine, activity: Activity, reason: str, remedy: str) -> Heartbeat:
        now = datetime.now(tz=UTC)
        wait = engine.gate.closed_until - time.monotonic()
        waits = wait > 0 and activity not in (Activity.STOPPED, Activity.ENDED)
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

    @property
    def _mode(self) -> int:
        """Users of a drop box see that their service runs."""
        return 0o644 if is_shared(str(self._config.directories.spool)) else 0o600

    def _write(self, news: Heartbeat) -> None:
        self._last = news
        self._written_at = time.monotonic()
        try:
            heartbeat.write(self._path, news, self._mode)
        except OSError as error:
            _log.warning("%s cannot be written: %s", self._path, error.strerror)


def in_one_line(heartbeat: Heartbeat, segments: int) -> str:
    """Return a heartbeat for the service manager, with the number of segments that wait."""
    doing = ": ".join(filter(None, (heartbeat.activity, heartbeat.reason)))
    parts = [doing, heartbeat.remedy]
    if heartbeat.next_attempt_at:
        parts.append(f"next try at {heartbeat.next_attempt_at[11:19]} UTC")
    parts.append(f"{counted(heartbeat.accepted)} sent")
    if heartbeat.rejected:
        parts.append(f"{heartbeat.rejected:,} set aside")
    if segments:
        parts.append(f"{segments:,} segment{'' if segments == 1 else 's'} waiting")
    return "; ".join(filter(None, parts))


def _goes_on(last: Heartbeat | None, engine: Engine) -> bool:
    """Tell at little cost, for it is asked at each turn, that nothing new but figures can be said.

    What is under way will be answered: then it is asked again.
    """
    return (
        last is not None
        and last.activity is Activity.SENDING
        and engine.under_way
        and bool(engine.permission.lately)
        and engine.gate.trouble is None
    )


def activity_of(engine: Engine) -> tuple[Activity, str, str]:
    """Return what the engine is doing, why it is not sending, and what a person can do."""
    consent = engine.permission.consent
    if consent.mode is not Mode.ON:
        return Activity.PAUSED, f"mode {consent.mode.value}: {consent.rule}", ""
    if engine.permission.outdated:
        return Activity.HELD, "the site policy has changed", "run telemetry-uploader check"
    trouble = engine.gate.trouble
    if trouble is not None:
        held = trouble.verdict is Verdict.HOLD
        return Activity.HELD if held else Activity.WAITING, trouble.reason, trouble.remedy
    return Activity.IDLE if engine.idle else Activity.SENDING, "", ""
