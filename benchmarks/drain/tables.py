"""What a group of measurements hands to the report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Table:
    """Figures side by side, measured in one run."""

    title: str
    about: str
    columns: Sequence[str]
    """The first one's heading, too; that column has names."""
    rows: Sequence[Sequence[str]]
    remarks: Sequence[str] = field(default=())
    """What was not measured and why, and the like; a sentence each."""


@dataclass(frozen=True, slots=True)
class Text:
    """What another benchmark printed, and the command that made it if it ended well."""

    title: str
    body: str
    command: str = ""


def ratio(value: float, to: float | None) -> str:
    """Return how many times `to` a value is, in two digits or so."""
    if not to:
        return "-"
    times = value / to
    return f"{figure(times)} x"


def figure(value: float) -> str:
    """Return a figure with three digits or so."""
    places = max(0, 3 - len(str(int(value))))
    return f"{value:,.{places}f}"
