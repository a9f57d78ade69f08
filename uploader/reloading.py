"""The settings of a daemon, which can be loaded anew."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable

from telemetry_spool.settings import SettingError
from uploader.config import UploaderConfig

# A policy that is wrong is mended soon, or in hours.
_PAUSE_SECONDS = 5.0

_log = logging.getLogger(__name__)


class Settings:
    """The last settings that were good."""

    def __init__(self, load: Callable[[], UploaderConfig]) -> None:
        """Load them with `load`. Raises SettingError."""
        self._load = load
        self._next_try = -math.inf
        self._complaint = ""
        self.now = load()
        """The settings of now: another object after each reload that went well."""

    def reload(self) -> bool:
        """Load them anew; wrong ones are named in the log and change nothing."""
        self._complaint = ""
        return self._try()

    def follow(self) -> bool:
        """As `reload()`, unasked: so not all the time, and each complaint once."""
        return time.monotonic() >= self._next_try and self._try()

    def _try(self) -> bool:
        try:
            self.now = self._load()
        except SettingError as error:
            if str(error) != self._complaint:
                _log.error("the settings stay as they were: %s", error)
            self._complaint = str(error)
            self._next_try = time.monotonic() + _PAUSE_SECONDS
            return False
        _log.info("new settings")
        self._complaint = ""
        return True
