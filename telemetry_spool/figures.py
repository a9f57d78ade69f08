"""How many events there are, by state, type, version and day."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from telemetry_spool.entries import Entry, State
from telemetry_spool.selection import moment_of

NO_DAY = "(no date)"
_NO_TYPE = "(no type)"


@dataclass(slots=True)
class Figures:
    """Counts. The versions are those of events whose content is here."""

    states: Counter[str] = field(default_factory=Counter)
    types: Counter[str] = field(default_factory=Counter)
    versions: Counter[str] = field(default_factory=Counter)
    days: Counter[str] = field(default_factory=Counter)

    def add(self, entry: Entry) -> None:
        """Count one entry."""
        self.states[entry.state.value] += entry.count
        moment = moment_of(entry.date)
        self.days[f"{moment:%Y-%m-%d}" if moment else NO_DAY] += entry.count
        if entry.state is not State.LOST:
            self.types[entry.event_type or _NO_TYPE] += entry.count
        if entry.version:
            self.versions[entry.version] += entry.count

    def as_json(self) -> dict[str, dict[str, int]]:
        """Return the counts, the largest first, days in their order."""
        return {
            "states": dict(self.states.most_common()),
            "types": dict(self.types.most_common()),
            "versions": dict(self.versions.most_common()),
            "days": dict(sorted(self.days.items())),
        }


def figures(entries: Iterable[Entry]) -> Figures:
    """Count entries, one by one: memory grows with their kinds, not with their number."""
    counted = Figures()
    for entry in entries:
        counted.add(entry)
    return counted
