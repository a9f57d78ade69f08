"""The one boundary between a host program and the spool: no failure of ours gets past it."""

from __future__ import annotations

import logging
from contextlib import suppress
from functools import cache

from telemetry_spool.consent import ConsentReader, Mode
from telemetry_spool.settings import Source
from telemetry_spool.spool import Spool, utc_now
from telemetry_spool.writer_settings import WriterConfig, writer_config

# In Python 3.11 looking up a member of an enum takes as long as a system call.
_OFF, _LOCAL = Mode.OFF, Mode.LOCAL


class Recorder:
    """Asks for consent, spools, and turns failures into counted losses."""

    def __init__(self, config: WriterConfig) -> None:
        """Use the directories and limits in `config`."""
        self._config = config
        self._spool = Spool(config)
        self._reader = ConsentReader(config.mode_file)
        self.consent = self._reader.now
        self._warned = False
        for problem in config.problems:
            self._warn(problem)

    def record(self, line: bytes, mode: Mode) -> bool:
        """Spool one event as the mode allows; False if it was not. Never raises."""
        if mode is _OFF:
            return False
        try:
            policy = self._reader.policy
            if policy is not self._config.policy:
                self._follow(policy)
            self._spool.append(line, local=mode is _LOCAL)
        except OSError as error:
            # Its text has the name of a file, often a random one: each loss would be a new reason.
            directory = self._config.directories.spool
            self.lost(f"{directory} cannot be written: {error.strerror or error}")
            return False
        except Exception as error:  # noqa: BLE001 - the boundary to the host program
            self.lost(str(error))
            return False
        return True

    def _follow(self, policy: Source) -> None:
        """Spool as another site policy demands from now on."""
        config = self._config.under(policy)
        if config != self._config._replace(policy=policy):
            spool = Spool(config)
            spool.losses.inherit(self._spool.losses)
            self._spool = spool
        self._config = config

    def lost(self, reason: str) -> None:
        """Count one event as lost and say so once through `logging`. Never raises.

        In mode `off` nothing was to be recorded, so nothing is lost and nothing is written.
        """
        if self.consent().mode is Mode.OFF:
            return
        self._spool.losses.lost(1, reason, utc_now())
        self._warn(f"an event was lost: {reason}")

    def _warn(self, message: str) -> None:
        if self._warned:
            return
        self._warned = True
        warn(f"{message} (said once; see `telemetry-spool status`)")


def warn(message: str) -> None:
    """Put a warning into the host's log, where there is one. Never raises and never prints."""
    logger = logging.getLogger("telemetry_spool")
    if not logger.handlers:
        # Without a handler of its own, logging prints warnings to the host's stderr.
        logger.addHandler(logging.NullHandler())
    with suppress(Exception):  # handlers are the host's, and may raise anything
        logger.warning("%s", message)


@cache
def default_recorder() -> Recorder:
    """Return the recorder for this process's settings."""
    return Recorder(writer_config())
