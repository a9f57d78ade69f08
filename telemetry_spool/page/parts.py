"""Pieces that several sections of the page have."""

from __future__ import annotations

from telemetry_spool.page.indented import indented
from telemetry_spool.page.markup import Content, Markup, join, tag
from telemetry_spool.page.words import moment

SHORT_ID = 12
"""Characters of an event's id in lists."""


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


def time(date: str) -> Markup:
    """Return a date for people; what is no date is shown as it is."""
    text = moment(date)
    return tag("time", text, datetime=date if text != date else None)


def table(caption: str, head: list[str], rows: list[list[str]]) -> Markup:
    """Return a table; the first cell of each row is its heading, the others are numbers."""
    inner = tag(
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
    return _scrolling("div", caption, inner)


def _scrolling(name: str, label: str, content: Markup) -> Markup:
    """Return what may scroll: focusable, so that it does without a mouse, too."""
    return tag(name, content, tabindex="0", role="group", aria_label=label, class_="scrolls")


def more(label: str, *content: Content) -> Markup:
    """Return what opens on demand, without a script."""
    return tag("details", tag("summary", label), *content, class_="more")


def command(text: str) -> Markup:
    """Return a command to type."""
    return tag("code", text, class_="command")


def commas(items: list[Content]) -> Markup:
    """Return items with commas between them."""
    return join([[", " if number else None, item] for number, item in enumerate(items)])


def exact(body: bytes) -> Markup:
    """Return the content of an event, in lines if it is JSON, with not a token of it changed."""
    text = body.decode("utf-8", "surrogateescape")
    return _scrolling("pre", "Exact content", tag("code", indented(text)))


def sentence(text: str) -> str:
    """Return a line that status prints as the sentence that it is."""
    return text[:1].upper() + text[1:]
