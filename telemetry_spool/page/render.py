"""The page as one HTML file that needs nothing else and may load, send or run nothing else."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

from telemetry_spool.entries import State
from telemetry_spool.page import chart, event_list, glance, next_up, record
from telemetry_spool.page.markup import Content, Markup, inline, join, tag
from telemetry_spool.page.model import Page

_HERE = Path(__file__).parent

_LINKS = (
    ("#next", "Next"),
    ("#time", "Over time"),
    ("#events", "Events"),
    ("#losses", "Losses"),
    ("#collected", "Collected"),
    ("#places", "Places"),
)


def render(page: Page) -> str:
    """Return the page. Raises OSError if the package is not whole."""
    style = (_HERE / "style.css").read_text(encoding="utf-8")
    script = (_HERE / "script.js").read_text(encoding="utf-8")
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy(style, script)),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", _title(page)),
        inline("style", style),
    )
    body = tag(
        "body",
        tag("a", "Skip to content", href="#main", class_="skip"),
        _header(page),
        tag("main", _main(page), id="main", tabindex="-1"),
        _footer(page),
        inline("script", script),
        data_refresh=str(page.refresh) if page.refresh else None,
    )
    return "<!doctype html>\n" + tag("html", head, body, lang="en").html + "\n"


def policy(style: str, script: str) -> str:
    """Return a content security policy that allows this style sheet and this script alone."""
    return "; ".join(
        (
            "default-src 'none'",
            f"style-src '{_digest(style)}'",
            f"script-src '{_digest(script)}'",
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        )
    )


def _digest(source: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()


def _title(page: Page) -> str:
    pending = page.totals[State.PENDING].events
    return f"Telemetry is {page.state.consent.mode.value}, {pending:,} pending: {page.host}"


def _header(page: Page) -> Markup:
    return tag(
        "header",
        tag("p", "Flower telemetry on ", tag("strong", page.host), class_="brand"),
        tag(
            "nav",
            tag("ul", [tag("li", tag("a", text, href=target)) for target, text in _LINKS]),
            aria_label="Sections",
        ),
        tag("button", "Theme: system", type="button", id="theme", hidden=True),
    )


def _main(page: Page) -> Markup:
    return join(
        tag("div", glance.hero(page), glance.figures(page), class_="top"),
        glance.attention(page),
        next_up.next_up(page),
        chart.over_time(page.timeline),
        event_list.events(page),
        record.losses(page),
        record.collected(page),
        record.places(page),
    )


def _footer(page: Page) -> Markup:
    return tag(
        "footer",
        tag(
            "p",
            "As of ",
            tag("time", f"{page.now:%Y-%m-%d %H:%M:%S}", datetime=page.now.isoformat()),
            f" UTC, like all times here. Made by telemetry-spool {page.version} on {page.host}. "
            "This file loads nothing and sends nothing.",
        ),
        _watching(page),
    )


def _watching(page: Page) -> Content:
    if page.refresh is None:
        return None
    return tag(
        "p",
        "telemetry-spool view --watch keeps this file up to date. ",
        tag("button", "Pause", type="button", id="pause", hidden=True),
        tag("noscript", "Reload the page to see what is new."),
    )
