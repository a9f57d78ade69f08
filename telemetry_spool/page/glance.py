"""The top of the page: the mode and its rule, what is wrong, and the figures."""

from __future__ import annotations

from telemetry_spool.entries import State
from telemetry_spool.overview import advice
from telemetry_spool.page.markup import Content, Markup, tag
from telemetry_spool.page.model import Page
from telemetry_spool.page.parts import command, more, pairs, sentence
from telemetry_spool.page.words import CHOICES, MEANING, since, size


def hero(page: Page) -> Markup:
    """Return the mode, the rule that decided it, and how to change it."""
    consent = page.state.consent
    return tag(
        "section",
        tag("h1", "Telemetry is ", tag("strong", consent.mode.value), id="mode-title"),
        tag("p", MEANING[consent.mode], class_="lead"),
        tag("p", "Decided by: ", tag("strong", consent.rule), class_="rule"),
        more("How to change it", _choices(page)),
        id="mode",
        aria_labelledby="mode-title",
    )


def _choices(page: Page) -> Content:
    now = page.state.consent.mode
    rows: list[tuple[Content, Content]] = [
        (command(f"telemetry-spool {mode.value}"), [what, " (now)" if mode is now else None])
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
    hint = advice(page.state)
    rows = page.problems or ((hint,) if hint else ())
    if not rows:
        return None
    title = "What is wrong" if page.problems else "What you can do"
    return tag(
        "section",
        tag("h2", title, id="attention-title"),
        tag("ul", [tag("li", sentence(row)) for row in rows]),
        id="attention",
        aria_labelledby="attention-title",
    )


def figures(page: Page) -> Markup:
    """Return how many events there are in each state."""
    return tag(
        "section",
        tag("h2", "At a glance", id="glance-title", class_="unseen"),
        tag(
            "dl",
            [
                tag("div", tag("dt", name), tag("dd", f"{count:,}"), tag("dd", note))
                for name, count, note in _figures(page)
            ],
            class_="figures",
        ),
        id="glance",
        aria_labelledby="glance-title",
    )


def _figures(page: Page) -> list[tuple[str, int, str]]:
    pending, local, rejected, sent = (
        page.totals[state] for state in (State.PENDING, State.LOCAL, State.REJECTED, State.SENT)
    )
    lost = sum(loss.events for loss in page.losses)
    waits = f"{size(pending.bytes)}, oldest {since(pending.oldest, page.now) or 'without a date'}"
    rows = [("Pending", pending.events, waits if pending.events else "nothing waits")]
    if local.events:
        rows.append(("Local", local.events, f"{size(local.bytes)}, never sent by itself"))
    if page.state.exported:
        rows.append(("Exported", page.state.exported, "carried away, not yet known to be sent"))
    last_sent = f"last {since(sent.newest, page.now)}" if sent.events else "no receipts"
    last_rejected = f"last {since(rejected.newest, page.now)}" if rejected.events else "none"
    return [
        *rows,
        ("Sent", sent.events, last_sent),
        ("Rejected", rejected.events, last_rejected),
        ("Lost", lost, "reasons below" if lost else "none"),
    ]
