"""Each event: its state, its facts, its exact content. Filters, and what is not shown whole."""

from __future__ import annotations

from collections import Counter

from telemetry_spool.entries import NO_EVENT, Entry, State
from telemetry_spool.page.markup import Content, Markup, tag
from telemetry_spool.page.model import Page, when
from telemetry_spool.page.parts import (
    SHORT_ID,
    exact,
    more,
    pairs,
    section,
    sentence,
    table,
    time,
)
from telemetry_spool.page.words import STATES
from telemetry_spool.text import counted

# Shapes beside the words, for a glance down the list.
_SIGNS = {State.PENDING: "○", State.LOCAL: "◐", State.REJECTED: "✕", State.SENT: "●"}

_MOST_TYPES = 20
_NO_TYPE = "(no type)"

_LABELS = {
    "reason": "Reason",
    "status": "HTTP status",
    "response": "Answer",
    "rejected_at": "Rejected",
    "sent_at": "Sent",
    "endpoint": "Sent to",
    "cut": "Cut",
}
_TIMES = ("rejected_at", "sent_at")


def events(page: Page) -> Markup:
    """Return the section with the events."""
    return section(
        "events",
        "Events",
        tag("p", _coverage(page), class_="note"),
        _filters(page) if page.entries else None,
        tag("div", [_event(entry) for entry in page.entries], id="list", class_="list")
        if page.entries
        else None,
        more("All of them, by type", _types(page)) if page.entries else None,
    )


def _coverage(page: Page) -> str:
    served = " What is sealed in a drop box only its service can see." if page.state.served else ""
    if not page.entries:
        return f"No event has been recorded here, or all traces of them are gone.{served}"
    shown = Counter(entry.state for entry in page.entries)
    parts = [
        f"the newest {shown[state]:,} of {total.events:,} {state.value}"
        for state, total in page.totals.items()
        if shown[state] < total.events
    ]
    if not parts:
        return f"All of them, the newest first. Open one to see exactly what it says.{served}"
    return (
        f"Shown here, whole: {', '.join(parts)}. The others are counted below; telemetry-spool "
        f"list has them all.{served}"
    )


def _filters(page: Page) -> Markup:
    types = sorted({entry.event_type for entry in page.entries})
    present = {entry.state for entry in page.entries}
    states = [state.value for state in State if state in present]
    return tag(
        "div",
        tag(
            "div",
            tag("label", "Search", for_="search"),
            tag("input", id="search", type="search", autocomplete="off", spellcheck="false"),
        ),
        tag("div", tag("label", "State", for_="state"), _select("state", states)),
        tag("div", tag("label", "Type", for_="type"), _select("type", types)),
        tag("button", "Clear", type="button", id="clear"),
        tag("p", role="status", id="found"),
        role="search",
        aria_label="Filter the events",
        class_="filters",
        hidden=True,
    )


def _select(name: str, values: list[str]) -> Markup:
    # With a sign before the value no type, not even an empty one, can be taken for "all".
    options = [tag("option", value or _NO_TYPE, value=f"={value}") for value in values]
    return tag("select", tag("option", "All", value=""), options, id=name)


def _event(entry: Entry) -> Markup:
    return tag(
        "details",
        tag(
            "summary",
            tag("span", tag("span", _SIGNS[entry.state], aria_hidden="true"), f" {entry.state}"),
            tag("code", entry.event_type or _NO_TYPE),
            time(when(entry)) if when(entry) else tag("span", "no date"),
            tag("code", entry.id[:SHORT_ID]),
        ),
        pairs(*_facts(entry), class_="facts"),
        _content(entry),
        class_="event",
        data_key=f"{entry.state}-{entry.id}",
        data_state=entry.state,
        data_type=entry.event_type,
    )


def _facts(entry: Entry) -> list[tuple[Content, Content]]:
    rows: list[tuple[Content, Content]] = [("State", sentence(STATES[entry.state]))]
    if entry.event_type == NO_EVENT and entry.state is not State.REJECTED:
        rows.append(("Not an event", "It will be set aside, not sent."))
    for name, label in _LABELS.items():
        value = entry.more.get(name)
        if value not in (None, ""):
            rows.append((label, time(str(value)) if name in _TIMES else str(value)))
    if entry.date:
        rows.append(("Recorded", time(entry.date)))
    rows.append(("Id", tag("code", entry.id)))
    rows.append(("File", tag("code", entry.file)))
    if entry.body is not None:
        rows.append(("Size", f"{len(entry.body):,} bytes"))
    return rows


def _content(entry: Entry) -> Markup:
    if entry.body is not None:
        return exact(entry.body)
    return tag(
        "p",
        "Its content was deleted here when it was accepted. To keep what is sent, set ",
        tag("code", "keep_sent = true"),
        ".",
        class_="note",
    )


def _types(page: Page) -> Content:
    states = [state for state, total in page.totals.items() if total.events]
    sums: Counter[str] = Counter()
    for state in states:
        sums.update(page.totals[state].types)
    most = sorted(sums, key=lambda event_type: (-sums[event_type], event_type))
    rows = [
        [
            event_type or _NO_TYPE,
            *(f"{page.totals[state].types.get(event_type, 0):,}" for state in states),
        ]
        for event_type in most[:_MOST_TYPES]
    ]
    rest = sum(sums[event_type] for event_type in most[_MOST_TYPES:])
    others = f"And {counted(rest)} of {len(most) - _MOST_TYPES:,} other types."
    return [
        table("Events by type and state", ["Type", *map(sentence, states)], rows),
        tag("p", others) if rest else None,
    ]
