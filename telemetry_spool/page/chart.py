"""Bars over time: one small row for each state, and the same numbers as a table."""

from __future__ import annotations

from datetime import datetime

from telemetry_spool.page.markup import Content, Markup, tag
from telemetry_spool.page.parts import more, section, table
from telemetry_spool.page.timeline import Series, Timeline

_BAR, _GAP, _HEIGHT = 10, 3, 40
# Less than this could not be seen beside the highest bar.
_LOWEST = 2.0


def over_time(timeline: Timeline) -> Markup:
    """Return the section with the bars."""
    if not any(any(series.counts) or series.outside for series in timeline.series):
        return section("time", "Over time", tag("p", "Nothing has happened yet.", class_="note"))
    first, last = (_label(timeline.unit, timeline.starts[n]) for n in (0, -1))
    outside = sum(series.outside for series in timeline.series)
    return section(
        "time",
        "Over time",
        tag(
            "p", f"One bar is one {timeline.unit}. Each row has a scale of its own.", class_="note"
        ),
        tag("div", [_row(timeline, series) for series in timeline.series], class_="chart"),
        tag("p", tag("span", first), tag("span", last), class_="axis", aria_hidden="true"),
        tag("p", f"{outside:,} more are older than this, or have no date that makes sense.")
        if outside
        else None,
        more("The same as a table", _table(timeline)),
    )


def _row(timeline: Timeline, series: Series) -> Markup:
    total, peak = sum(series.counts), max(series.counts)
    name = series.name.capitalize()
    if not total:
        said = f"{name}: none in this time."
    else:
        top = _label(timeline.unit, timeline.starts[series.counts.index(peak)])
        said = f"{name}: {total:,} in this time, {peak:,} of them in the {timeline.unit} {top}."
    return tag(
        "div",
        tag("h3", name, tag("span", f" {total:,}")),
        _bars(timeline, series, peak, said),
        class_="series",
    )


def _bars(timeline: Timeline, series: Series, peak: int, said: str) -> Markup:
    width = len(series.counts) * (_BAR + _GAP) - _GAP
    return tag(
        "svg",
        [
            _bar(number, count, peak, f"{_label(timeline.unit, start)}: {count:,}")
            for number, (start, count) in enumerate(
                zip(timeline.starts, series.counts, strict=True)
            )
            if count
        ],
        tag("line", x1="0", x2=str(width), y1=str(_HEIGHT), y2=str(_HEIGHT)),
        viewBox=f"0 0 {width} {_HEIGHT}",
        preserveAspectRatio="none",
        role="img",
        aria_label=said,
        data_series=series.name,
    )


def _bar(number: int, count: int, peak: int, said: str) -> Markup:
    height = max(_HEIGHT * count / peak, _LOWEST)
    return tag(
        "rect",
        tag("title", said),
        x=str(number * (_BAR + _GAP)),
        y=f"{_HEIGHT - height:.1f}",
        width=str(_BAR),
        height=f"{height:.1f}",
    )


def _label(unit: str, start: datetime) -> str:
    return f"{start:%Y-%m-%d %H:%M}" if unit == "hour" else f"{start:%Y-%m-%d}"


def _table(timeline: Timeline) -> Content:
    rows = [
        [_label(timeline.unit, start), *(f"{series.counts[n]:,}" for series in timeline.series)]
        for n, start in enumerate(timeline.starts)
        if any(series.counts[n] for series in timeline.series)
    ]
    if not rows:
        return tag("p", "Nothing happened in this time.")
    head = [timeline.unit.capitalize(), *(series.name.capitalize() for series in timeline.series)]
    return table(f"Events by {timeline.unit}; those without any are left out", head, rows)
