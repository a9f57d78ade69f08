"""The top of the page: the mode and its rule, the figures, what is sent next and why it waits."""

from __future__ import annotations

from telemetry_spool.page.markup import Content, Markup, tag
from telemetry_spool.page.model import Entry, Page, State
from telemetry_spool.page.parts import SHORT_ID, command, more, pairs, section, when
from telemetry_spool.page.words import (
    CHOICES,
    MEANING,
    moment,
    since,
    size,
    what_is_next,
    why_it_waits,
)
from telemetry_spool.text import counted


def hero(page: Page) -> Markup:
    """Return the mode, the rule that decided it, and how to change it."""
    mode = page.consent.mode
    return tag(
        "section",
        tag("h1", "Telemetry is ", tag("strong", mode.value), id="mode-title"),
        tag("p", MEANING[mode], class_="lead"),
        tag("p", "Decided by: ", tag("strong", page.consent.rule), class_="rule"),
        more("How to change it", _choices(page)),
        id="mode",
        aria_labelledby="mode-title",
    )


def _choices(page: Page) -> Content:
    rows = [
        (
            command(f"telemetry-spool {mode.value}"),
            [what, " (now)" if mode is page.consent.mode else None],
        )
        for mode, what in CHOICES
    ]
    return [
        tag("p", page.forced) if page.forced else None,
        pairs(*rows, class_="choices"),
        tag(
            "p",
            "It works at once, in running programs too. The most private answer wins: ",
            tag("code", "FLWR_TELEMETRY_ENABLED=0"),
            " and ",
            tag("code", "DO_NOT_TRACK=1"),
            " in a program's environment switch it off there, whatever is chosen here.",
        ),
    ]


def attention(page: Page) -> Content:
    """Return what is wrong and what to do about it; nothing if all is well."""
    rows = list(page.problems) or ([page.advice] if page.advice else [])
    if not rows:
        return None
    return tag(
        "section",
        tag(
            "h2", "What you can do" if not page.problems else "What is wrong", id="attention-title"
        ),
        tag("ul", [tag("li", row) for row in rows]),
        id="attention",
        aria_labelledby="attention-title",
    )


def figures(page: Page) -> Markup:
    """Return how many events there are in each state."""
    totals = page.totals
    pending, local, sent = totals[State.PENDING], totals[State.LOCAL], totals[State.SENT]
    rejected = totals[State.REJECTED]
    lost = sum(loss.events for loss in page.losses)
    oldest = f"{size(pending.bytes)}, oldest {since(pending.oldest, page.now)}"
    rows = [
        ("Pending", pending.events, oldest if pending.events else "nothing waits"),
        ("Sent", sent.events, f"last {since(sent.newest, page.now)}" if sent.events else "so far"),
        (
            "Rejected",
            rejected.events,
            f"last {since(rejected.newest, page.now)}" if rejected.events else "none set aside",
        ),
        ("Lost", lost, "reasons below" if lost else "every event is accounted for"),
    ]
    if local.events:
        rows.insert(1, ("Local", local.events, f"{size(local.bytes)}, never sent by itself"))
    return tag(
        "section",
        tag("h2", "At a glance", id="glance-title", class_="unseen"),
        tag(
            "dl",
            [
                tag("div", tag("dt", name), tag("dd", f"{count:,}"), tag("dd", note))
                for name, count, note in rows
            ],
            class_="figures",
        ),
        id="glance",
        aria_labelledby="glance-title",
    )


def next_up(page: Page) -> Markup:
    """Return what would be sent next, and why it waits."""
    waits = why_it_waits(page)
    return section(
        "next",
        "Sent next",
        tag("p", what_is_next(page), f" {waits}" if waits else None, class_="lead"),
        _uploader(page),
        tag("h3", "First in line") if page.next_up else None,
        tag("ol", [tag("li", _line(entry)) for entry in page.next_up], class_="line")
        if page.next_up
        else None,
    )


def _uploader(page: Page) -> Content:
    if page.uploader is None:
        return tag("p", "Start one with ", command("telemetry-uploader run"), ".")
    last, alive = page.uploader.heartbeat, page.uploader.alive
    running = {True: "running", False: "not running", None: "on another host"}[alive]
    rows: list[tuple[Content, Content]] = [
        ("Uploader", f"{running}, pid {last.pid} on {last.host}"),
        ("Last heard of", [when(last.updated_at), f" ({since(last.updated_at, page.now)})"]),
        ("Endpoint", tag("code", last.endpoint)),
    ]
    if last.next_attempt_at and alive is not False:
        rows.append(("Next try", when(last.next_attempt_at)))
    if last.last_accepted_at:
        since_start = f", {counted(last.accepted)} since its start"
        rows.append(("Last sent", [when(last.last_accepted_at), since_start]))
    if last.remedy and alive is not False:
        rows.append(("Remedy", last.remedy))
    return pairs(*rows, class_="facts")


def _line(entry: Entry) -> Content:
    return [
        tag("code", entry.event_type or "(no type)"),
        " of ",
        when(entry.when) if moment(entry.when) else "an unknown date",
        ", ",
        tag("code", entry.id[:SHORT_ID]),
    ]
