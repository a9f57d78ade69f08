"""What would be sent next, why it waits, and the first request as it will go."""

from __future__ import annotations

from telemetry_spool.entries import Entry
from telemetry_spool.page.markup import Content, Markup, join, tag
from telemetry_spool.page.model import Page
from telemetry_spool.page.parts import SHORT_ID, command, exact, more, pairs, section, time
from telemetry_spool.page.words import since, what_is_next, why_it_waits
from telemetry_spool.text import counted


def next_up(page: Page) -> Markup:
    """Return the section about the next upload."""
    waits = why_it_waits(page)
    return section(
        "next",
        "Sent next",
        tag("p", what_is_next(page), f" {waits}" if waits else None, class_="lead"),
        _uploader(page),
        _first(page) if page.next.first else None,
    )


def _uploader(page: Page) -> Content:
    last, alive = page.state.uploader, page.state.alive
    if last is None:
        if page.state.served:
            return tag("p", "This spool is a drop box, and the machine's service sends from it.")
        return tag("p", "To start one: ", command("telemetry-uploader run"))
    running = {True: "running", False: "not running", None: "on another host"}[alive]
    rows: list[tuple[Content, Content]] = [
        ("Uploader", f"{running}, pid {last.pid} on {last.host}"),
        ("Last heard of", [time(last.updated_at), f" ({since(last.updated_at, page.now)})"]),
        ("Endpoint", tag("code", last.endpoint)),
    ]
    if last.next_attempt_at and alive is not False:
        rows.append(("Next try", time(last.next_attempt_at)))
    if last.last_accepted_at:
        so_far = f", {counted(last.accepted)} since its start"
        rows.append(("Last sent", [time(last.last_accepted_at), so_far]))
    return pairs(*rows, class_="facts")


def _first(page: Page) -> Markup:
    first = page.next.first[0]
    headers: list[tuple[Content, Content]] = [
        (name, tag("code", value)) for name, value in page.next.headers.items()
    ]
    return join(
        tag("h3", "First in line"),
        tag("ol", [tag("li", _line(entry)) for entry in page.next.first], class_="line"),
        more("The first request, as it will go", pairs(*headers, class_="facts"), exact(first.body))
        if headers and first.body
        else None,
    )


def _line(entry: Entry) -> Content:
    return [
        tag("code", entry.event_type or "(no type)"),
        " of ",
        time(entry.date) if entry.date else "an unknown date",
        ", ",
        tag("code", entry.id[:SHORT_ID]),
    ]
