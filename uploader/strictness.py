"""The setting `strict`: events in which something is personal or undocumented are held back."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from telemetry_spool.audit import Finding, Kind, audit
from telemetry_spool.letters import HELD
from telemetry_spool.owner import owner_of

_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Held:
    """An event that is set aside, and why."""

    reason: str


def objection(body: bytes, uid: int) -> Held | None:
    """Return why an event of this user is held; None if it may be sent."""
    return hold(audit(json.loads(body), _owner(uid)))


_owner = lru_cache(maxsize=256)(owner_of)


def hold(findings: Iterable[Finding]) -> Held | None:
    """Decide about an event with these findings.

    The reason says where and what, and not the words: it goes to logs too.
    """
    against = [finding for finding in findings if finding.kind is not Kind.OFF_PAGE]
    if not against:
        return None
    shown = [f"{finding.path or 'the event'} {finding.problem}" for finding in against[:_SHOWN]]
    more = f"; and {len(against) - _SHOWN} more" if len(against) > _SHOWN else ""
    return Held(f"{HELD}{'; '.join(shown)}{more}")
