"""Pieces that several sections of the page have."""

from __future__ import annotations

from telemetry_spool.page.markup import Content, Markup, join, tag
from telemetry_spool.page.words import moment

SHORT_ID = 12


def section(name: str, title: str, *content: Content) -> Markup:
    """Return a section with a heading, reachable as `#name`."""
    return tag(
        "section",
        tag("h2", title, id=f"{name}-title"),
        *content,
        id=name,
        aria_labelledby=f"{name}-title",
    )


def pairs(*rows: tuple[Content, Content], class_: str | None = None) -> Markup:
    """Return labels with their values."""
    return tag(
        "dl",
        [tag("div", tag("dt", label), tag("dd", value)) for label, value in rows],
        class_=class_,
    )


def when(date: str, *, seconds: bool = True) -> Markup:
    """Return a date for people; what is no date is shown as it is."""
    text = moment(date, seconds=seconds)
    return tag("time", text, datetime=date if text != date else None)


def table(caption: str, head: list[str], rows: list[list[str]]) -> Markup:
    """Return a table; the first cell of each row is its heading, the others are numbers."""
    return tag(
        "table",
        tag("caption", caption),
        tag("thead", tag("tr", [tag("th", cell, scope="col") for cell in head])),
        tag(
            "tbody",
            [
                tag("tr", tag("th", row[0], scope="row"), [tag("td", cell) for cell in row[1:]])
                for row in rows
            ],
        ),
    )


def more(label: str, *content: Content) -> Markup:
    """Return what opens on demand, without a script."""
    return tag("details", tag("summary", label), *content, class_="more")


def command(text: str) -> Markup:
    """Return a command to type."""
    return tag("code", text, class_="command")


def commas(items: list[Content]) -> Markup:
    """Return items with commas between them."""
    return join([[", " if number else None, item] for number, item in enumerate(items)])
