"""Which events a person means: by type, time, source, cluster, state or id."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase

from telemetry_spool.entries import Entry, State

_AGO = re.compile(r"(?P<number>[0-9]{1,5})(?P<unit>[mhdw])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")

ALLOWED_MOMENT = "a date (2026-03-10), a time (2026-03-10T12:00) or an age (7d, 12h, 30m, 2w)"
"""Completes "must be …"."""


@dataclass(frozen=True, slots=True)
class Selection:
    """A filter. What is empty or None admits everything.

    `types` may have `*` and `?`, and case does not matter; `sources`, `clusters` and `ids` are
    beginnings. `since` and `until` are compared with the date that an event says itself (a loss:
    when it was lost); what has no date is admitted by neither. `until` itself is not admitted.
    """

    types: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    clusters: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    states: frozenset[State] = frozenset()
    since: datetime | None = None
    until: datetime | None = None

    @property
    def narrow(self) -> bool:
        """Whether it asks for more than a state."""
        return bool(
            self.types or self.sources or self.clusters or self.ids or self.since or self.until
        )

    def admits(self, entry: Entry) -> bool:
        """Tell whether an event is meant."""
        return (
            (not self.states or entry.state in self.states)
            and _any_type(entry.event_type, self.types)
            and _any_beginning(entry.source, self.sources)
            and _any_beginning(entry.cluster, self.clusters)
            and _any_beginning(entry.id, self.ids)
            and self._in_time(entry.date)
        )

    def _in_time(self, date: str) -> bool:
        if self.since is None and self.until is None:
            return True
        moment = moment_of(date)
        if moment is None:
            return False
        early = self.since is not None and moment < self.since
        late = self.until is not None and moment >= self.until
        return not early and not late


def _any_type(event_type: str, patterns: tuple[str, ...]) -> bool:
    name = event_type.lower()
    return not patterns or any(fnmatchcase(name, pattern.lower()) for pattern in patterns)


def _any_beginning(text: str, beginnings: tuple[str, ...]) -> bool:
    return not beginnings or any(text.startswith(beginning.lower()) for beginning in beginnings)


def moment_of(date: str) -> datetime | None:
    """Return the moment that an event names as its date, in UTC unless it says otherwise."""
    try:
        moment = datetime.fromisoformat(date)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def parse_moment(text: str, now: datetime, *, end: bool = False) -> datetime:
    """Return the moment that a person means: a date or a time in UTC, or an age.

    `end` takes a date for the end of its day. Raises ValueError.
    """
    if match := _AGO.fullmatch(text.strip().lower()):
        return now - timedelta(**{_UNITS[match["unit"]]: int(match["number"])})
    moment = moment_of(text.strip())
    if moment is None:
        raise ValueError(text)
    return moment + timedelta(days=1) if end and _DAY.fullmatch(text.strip()) else moment
