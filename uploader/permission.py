"""What may be sent at this moment: consent and the site policy are asked again and again."""

from __future__ import annotations

import math
import time

from telemetry_spool import policy
from telemetry_spool.consent import Consent, ConsentReader
from telemetry_spool.paths import Kind
from uploader.config import UploaderConfig
from uploader.sendable import sendable_with

# A person's word counts from the next moment on. To look for it takes as long as a request does.
_MOMENT_SECONDS = 0.001


class Permission:
    """Reads what the user has chosen and what the site demands."""

    def __init__(self, config: UploaderConfig) -> None:
        """Ask where these settings say; they stand for the policy of their time."""
        self._reader = ConsentReader(config.mode_file)
        self._policy = config.policy
        self._asked_at = -math.inf
        self._lately: frozenset[Kind] = frozenset()

    @property
    def consent(self) -> Consent:
        """The consent of this moment."""
        return self._reader.now()

    @property
    def outdated(self) -> bool:
        """Whether the site policy demands other settings: nothing more is sent with these."""
        self._reader.now()
        return policy.differ(self._reader.policy, self._policy)

    @property
    def sendable(self) -> frozenset[Kind]:
        """The segments of which consent and the site policy of this moment allow a request."""
        kinds = sendable_with(self.consent)
        return frozenset() if policy.differ(self._reader.policy, self._policy) else kinds

    def is_old(self) -> bool:
        """Tell whether to ask again before the next request.

        One look is for the requests of one moment, a millisecond.
        """
        return time.monotonic() - self._asked_at >= _MOMENT_SECONDS

    def expire(self) -> None:
        """Have the next request asked for in any case: something may have happened meanwhile."""
        self._asked_at = -math.inf

    def ask(self) -> frozenset[Kind]:
        """Return what may be sent."""
        self._asked_at = time.monotonic()
        self._lately = self.sendable
        return self._lately

    @property
    def lately(self) -> frozenset[Kind]:
        """What the last answer was."""
        return self._lately
