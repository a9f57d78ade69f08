"""The setting `strict`: events in which something is personal or undocumented are held back."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from telemetry_spool.audit import Finding, Kind, audit
from telemetry_spool.events import Event
from telemetry_spool.owner import owner_of
from telemetry_spool.paths import Directories
from telemetry_spool.releases import Releases

_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Held:
    """An event that is set aside, and why."""

    reason: str


def hold_reason(findings: Iterable[Finding]) -> str | None:
    """Return why an event is held, None if nothing speaks against sending it.

    Says where and what, and not the words: the reason goes to logs too.
    """
    against = [finding for finding in findings if finding.kind is not Kind.OFF_PAGE]
    if not against:
        return None
    shown = [f"{finding.path or 'the event'} {finding.problem}" for finding in against[:_SHOWN]]
    more = f"; and {len(against) - _SHOWN} more" if len(against) > _SHOWN else ""
    return f"strict: {'; '.join(shown)}{more}"


class Strictness:
    """Decides which events are held: those with findings that the user has not let go."""

    def __init__(self, directories: Directories) -> None:
        """Ask the releases in these directories."""
        self._releases = Releases(directories)
        self._owner = lru_cache(maxsize=256)(owner_of)

    def objection(self, event: Event, uid: int) -> Held | None:
        """Return why an event of this user is held; None if it may be sent."""
        reason = hold_reason(audit(json.loads(event.body), self._owner(uid)))
        return None if reason is None or event.id in self._releases else Held(reason)
