"""When things happened, counted by the hour while reading, and put into bars at the end."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from telemetry_spool.selection import moment_of

WINDOW_DAYS = 90
"""Receipts and losses are kept this long; what is older would only push the rest together."""

_HOUR = 3600
_DAY = 24 * _HOUR
# A bar is the shortest of these with which all bars fit on a phone.
_UNITS = (("hour", _HOUR), ("day", _DAY), ("week", 7 * _DAY))
_MOST_BARS = 36


@dataclass(slots=True)
class Tally:
    """Counts by hour since the epoch. `undated` counts what has no date that makes sense."""

    hours: Counter[int] = field(default_factory=Counter)
    undated: int = 0
    _known: dict[str, int | None] = field(default_factory=dict)

    def add(self, date: str, count: int = 1) -> None:
        """Count something at an ISO 8601 date."""
        hour = self._hour(date)
        if hour is None:
            self.undated += count
        else:
            self.hours[hour] += count

    def _hour(self, date: str) -> int | None:
        # Flower's dates are in UTC: what comes behind the hour changes nothing, and most are known.
        key = date[:13] if date.endswith("+00:00") else date
        if key not in self._known:
            if len(self._known) > WINDOW_DAYS * 24:
                self._known.clear()
            moment = moment_of(date)
            self._known[key] = None if moment is None else int(moment.timestamp()) // _HOUR
        return self._known[key]


@dataclass(frozen=True, slots=True)
class Series:
    """A row of bars: how many in each, and how many lie outside of the time shown."""

    name: str
    counts: tuple[int, ...]
    outside: int


@dataclass(frozen=True, slots=True)
class Timeline:
    """Bars of one `unit` (hour, day, week), the last of which is the present one."""

    unit: str
    starts: tuple[datetime, ...]
    series: tuple[Series, ...]


def timeline(tallies: dict[str, Tally], now: datetime) -> Timeline:
    """Return bars for these tallies, by name, that end with the present one."""
    present = int(now.timestamp())
    oldest_shown = (present - WINDOW_DAYS * _DAY) // _HOUR
    hours = [
        hour
        for tally in tallies.values()
        for hour in tally.hours
        if oldest_shown <= hour <= present // _HOUR
    ]
    span = present - min(hours, default=present // _HOUR) * _HOUR
    unit, seconds = next((each for each in _UNITS if span < (_MOST_BARS - 1) * each[1]), _UNITS[-1])
    # Days and weeks begin at midnight UTC.
    last = present // min(seconds, _DAY) * min(seconds, _DAY)
    bars = max(span // seconds + 2, 12)
    first = last - (bars - 1) * seconds
    return Timeline(
        unit,
        tuple(datetime.fromtimestamp(first + n * seconds, tz=UTC) for n in range(bars)),
        tuple(_series(name, tally, first, seconds, bars) for name, tally in tallies.items()),
    )


def _series(name: str, tally: Tally, first: int, seconds: int, bars: int) -> Series:
    counts = [0] * bars
    outside = tally.undated
    for hour, count in tally.hours.items():
        bar = (hour * _HOUR - first) // seconds
        if 0 <= bar < bars:
            counts[bar] += count
        else:
            outside += count
    return Series(name, tuple(counts), outside)


def ago(moment: datetime, now: datetime) -> str:
    """Return how long ago something was, in words."""
    seconds = (now - moment) / timedelta(seconds=1)
    if seconds < -1:
        return "in the future"
    for unit, length in (("day", _DAY), ("hour", _HOUR), ("minute", 60)):
        count = int(seconds // length)
        if count:
            return f"{count:,} {unit}{'' if count == 1 else 's'} ago"
    return "just now"
