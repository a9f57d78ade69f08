"""How many events of which state and type there are: what a person is told before they go."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from telemetry_spool.entries import Entry, State
from telemetry_spool.text import counted, plain

_MOST_TYPES = 8


@dataclass(slots=True)
class Tally:
    """Events, bytes and types by state."""

    events: Counter[State] = field(default_factory=Counter)
    bytes: Counter[State] = field(default_factory=Counter)
    types: dict[State, Counter[str]] = field(default_factory=dict)

    def add(self, entry: Entry) -> None:
        """Count one entry."""
        self.events[entry.state] += entry.count
        self.bytes[entry.state] += len(entry.body or b"")
        self.types.setdefault(entry.state, Counter())[entry.event_type] += entry.count

    def as_json(self) -> dict[str, object]:
        """Return it for `--json`."""
        return {
            state.value: {
                "events": self.events[state],
                "bytes": self.bytes[state],
                "types": dict(self.types[state].most_common()),
            }
            for state in self.events
        }

    def as_text(self) -> list[str]:
        """Return a row for each state."""
        return [
            f"{state:<8}  {counted(self.events[state])}, {self.bytes[state]:,} bytes"
            f"{_types(self.types[state])}"
            for state in self.events
        ]


def _types(types: Counter[str]) -> str:
    named = [(plain(name), number) for name, number in types.most_common(_MOST_TYPES) if name]
    shown = ", ".join(f"{name} {number:,}" for name, number in named)
    more = ", …" if len(types) > _MOST_TYPES else ""
    return f": {shown}{more}" if shown else ""
