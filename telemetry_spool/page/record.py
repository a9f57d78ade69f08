"""The rest of the record: losses, what is collected and why, and where everything is."""

from __future__ import annotations

from telemetry_spool.page.markup import Content, Markup, join, tag
from telemetry_spool.page.model import Page
from telemetry_spool.page.parts import command, commas, pairs, section, time
from telemetry_spool.schema import Field
from telemetry_spool.text import counted

_GROUPS = (
    ("What happened", "event_type"),
    ("Details of it", "event_details."),
    ("Who and when", "context."),
    ("Flower", "context.flower."),
    ("Flower Datasets", "context.package."),
    ("The machine", "context.hw."),
    ("The system", "context.platform."),
)


def losses(page: Page) -> Markup:
    """Return the loss ledger."""
    rows = [
        tag(
            "li",
            tag("strong", f"{counted(loss.events)}: "),
            loss.reason,
            tag("span", _span(loss.first, loss.last)),
        )
        for loss in page.losses
    ]
    return section(
        "losses",
        "Losses",
        tag("p", "What was recorded, or should have been, and will never be sent.", class_="note"),
        tag("ul", rows, class_="losses") if rows else tag("p", "None."),
    )


def _span(first: str, last: str) -> Content:
    if first == last:
        return time(first)
    return [time(first), " to ", time(last)]


def collected(page: Page) -> Markup:
    """Return every field that an event may have: what it is, why, and its value here."""
    hidden = sum(not field.documented for field in page.fields)
    links = [
        tag("a", address.removeprefix("https://"), href=address, rel="noreferrer")
        for address in page.pages
    ]
    return section(
        "collected",
        "What is collected, and why",
        tag(
            "p",
            f"Flower's events have these {len(page.fields)} fields, and no event has all of them. "
            f"{hidden} are in no page of Flower's about telemetry; they are marked. The pages: ",
            commas(list(links)),
            ".",
            class_="note",
        ),
        [_group(page, title, fields) for title, fields in _grouped(page.fields) if fields],
    )


def _grouped(fields: tuple[Field, ...]) -> list[tuple[str, list[Field]]]:
    """Put each field into the group with the longest beginning of its path."""
    groups: dict[str, list[Field]] = {title: [] for title, _ in _GROUPS}
    for field in fields:
        fitting = [each for each in _GROUPS if field.path.startswith(each[1])]
        title = max(fitting, key=lambda each: len(each[1]), default=("Other", ""))[0]
        groups.setdefault(title, []).append(field)
    return list(groups.items())


def _group(page: Page, title: str, fields: list[Field]) -> Markup:
    return join(
        tag("h3", title), tag("ul", [_field(page, field) for field in fields], class_="fields")
    )


def _field(page: Page, field: Field) -> Markup:
    seen = page.seen.get(field.path)
    value: tuple[Content, Content] = (
        ("Here", tag("code", seen)) if seen is not None else ("Example", tag("code", field.example))
    )
    return tag(
        "li",
        tag("p", tag("code", field.path), " ", tag("span", field.kind)),
        tag("p", field.what),
        pairs(("Why", field.why), ("Known from", _source(field)), value, class_="facts"),
    )


def _source(field: Field) -> Content:
    return field.source if field.documented else tag("strong", field.source)


def places(page: Page) -> Markup:
    """Return where everything is, and what to type to see it there."""
    directories = page.state.directories
    return section(
        "places",
        "Where it is",
        pairs(
            ("Events", tag("code", str(directories.spool))),
            ("Receipts and losses", tag("code", str(directories.receipts))),
            ("Dead letters", tag("code", str(directories.rejected))),
            ("Uploader's heartbeat", tag("code", str(directories.heard_of))),
            class_="facts",
        ),
        tag(
            "p",
            "Every line there is the exact body of a request, or a record in JSON. In a terminal: ",
            commas([command(f"telemetry-spool {word}") for word in ("status", "list", "show ID")]),
            ".",
        ),
    )
