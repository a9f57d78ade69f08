"""Each event: its state, its facts, its exact content. Filters, and what is not shown whole."""

from __future__ import annotations

from telemetry_spool.page.indented import indented
from telemetry_spool.page.markup import Content, Markup, tag
from telemetry_spool.page.model import Entry, Page, State
from telemetry_spool.page.parts import SHORT_ID, more, pairs, section, table, when
from telemetry_spool.page.words import STATES
from telemetry_spool.text import counted

# Shapes beside the words, for a glance down the list.
_SIGNS = {State.PENDING: "○", State.LOCAL: "◐", State.REJECTED: "✕", State.SENT: "●"}

_MOST_TYPES = 20


def events(page: Page) -> Markup:
    """Return the section with the events."""
    return section(
        "events",
        "Events",
        tag("p", _coverage(page), class_="note"),
        _filters(page) if page.entries else None,
        tag("div", [_event(entry) for entry in page.entries], id="list", class_="list"),
        more("All of them, by type", _types(page)) if page.entries else None,
    )


def _coverage(page: Page) -> str:
    shown = dict.fromkeys(State, 0)
    for entry in page.entries:
        shown[entry.state] += 1
    parts = [
        f"the newest {shown[state]:,} of {total.events:,} {state.value}"
        for state, total in page.totals.items()
        if shown[state] < total.events
    ]
    if not page.entries:
        return "No event has been recorded here, or all traces of them are gone."
    if not parts:
        return "All of them, the newest first. Open one to see exactly what it says."
    command = "telemetry-spool list"
    return f"Shown here: {', '.join(parts)}. The others are counted below; {command} has them all."


def _filters(page: Page) -> Markup:
    types = sorted({entry.event_type for entry in page.entries})
    states = [state for state in State if any(entry.state is state for entry in page.entries)]
    return tag(
        "div",
        tag(
            "div",
            tag("label", "Search", for_="search"),
            tag("input", id="search", type="search", autocomplete="off", spellcheck="false"),
        ),
        tag("div", tag("label", "State", for_="state"), _select("state", "All", list(states))),
        tag("div", tag("label", "Type", for_="type"), _select("type", "All", types)),
        tag("button", "Clear", type="button", id="clear"),
        tag("p", role="status", id="found"),
        role="search",
        aria_label="Filter the events",
        class_="filters",
        hidden=True,
    )


def _select(name: str, every: str, values: list[str]) -> Markup:
    # A value with a letter before it: no type, not even an empty one, can be taken for "all".
    options = [tag("option", value or "(no type)", value=f"={value}") for value in values]
    return tag("select", tag("option", every, value=""), options, id=name)


def _event(entry: Entry) -> Markup:
    return tag(
        "details",
        tag(
            "summary",
            tag("span", tag("span", _SIGNS[entry.state], aria_hidden="true"), f" {entry.state}"),
            tag("code", entry.event_type or "(no type)"),
            when(entry.when) if entry.when else tag("span", "no date"),
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
    return [
        ("State", f"{entry.state}: {STATES[entry.state]}"),
        ("Id", tag("code", entry.id)),
        *((label, value) for label, value in entry.facts if value),
        ("File", tag("code", entry.file)),
    ]


def _content(entry: Entry) -> Content:
    if entry.content is None:
        return tag(
            "p",
            "Its content was deleted when it was accepted. To keep the bytes of what is sent, set ",
            tag("code", "keep_sent = true"),
            ".",
            class_="note",
        )
    # Focusable, because a region that scrolls must be reachable without a mouse.
    return tag(
        "pre",
        tag("code", indented(entry.content)),
        tabindex="0",
        role="region",
        aria_label="Exact content",
    )


def _types(page: Page) -> Content:
    states = [state for state, total in page.totals.items() if total.events]
    sums: dict[str, int] = {}
    for state in states:
        for event_type, count in (page.totals[state].types or {}).items():
            sums[event_type] = sums.get(event_type, 0) + count
    most = sorted(sums, key=lambda event_type: (-sums[event_type], event_type))
    rows = [
        [
            event_type or "(no type)",
            *(f"{(page.totals[state].types or {}).get(event_type, 0):,}" for state in states),
        ]
        for event_type in most[:_MOST_TYPES]
    ]
    rest = sum(sums[event_type] for event_type in most[_MOST_TYPES:])
    return [
        table("Events by type and state", ["Type", *(s.capitalize() for s in states)], rows),
        tag("p", f"And {counted(rest)} of {len(most) - _MOST_TYPES:,} other types.")
        if rest
        else None,
    ]
