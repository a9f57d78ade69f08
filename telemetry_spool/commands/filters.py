"""The options that choose events, alike for every command that has them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from telemetry_spool.entries import State
from telemetry_spool.selection import ALLOWED_MOMENT, Selection, parse_moment

PANEL = "Which events"

Types = Annotated[
    list[str] | None,
    typer.Option("--type", metavar="TYPE", help="Of this type; may have *.", rich_help_panel=PANEL),
]
Since = Annotated[
    str | None,
    typer.Option(metavar="WHEN", help="Not older: 2026-03-10, 7d, 12h.", rich_help_panel=PANEL),
]
Until = Annotated[
    str | None,
    typer.Option(metavar="WHEN", help="Not newer, the day included.", rich_help_panel=PANEL),
]
Sources = Annotated[
    list[str] | None,
    typer.Option("--source", metavar="ID", help="With this source id.", rich_help_panel=PANEL),
]
Clusters = Annotated[
    list[str] | None,
    typer.Option("--cluster", metavar="ID", help="With this cluster id.", rich_help_panel=PANEL),
]
States = Annotated[
    list[State] | None,
    typer.Option("--state", help="In this state; give it again for more.", rich_help_panel=PANEL),
]


def selection(
    *,
    types: list[str] | None = None,
    since: str | None = None,
    until: str | None = None,
    sources: list[str] | None = None,
    clusters: list[str] | None = None,
    states: list[State] | None = None,
) -> Selection:
    """Return what the options mean. Raises typer.BadParameter for a time or an id that is none."""
    for option, given in (("--type", types), ("--source", sources), ("--cluster", clusters)):
        if "" in (given or ()):
            raise typer.BadParameter("must not be empty", param_hint=option)
    return Selection(
        types=tuple(types or ()),
        sources=tuple(sources or ()),
        clusters=tuple(clusters or ()),
        states=frozenset(states or ()),
        since=_moment(since, "--since"),
        until=_moment(until, "--until", end=True),
    )


def _moment(text: str | None, option: str, *, end: bool = False) -> datetime | None:
    if text is None:
        return None
    try:
        return parse_moment(text, datetime.now(tz=UTC), end=end)
    except ValueError:
        raise typer.BadParameter(f"must be {ALLOWED_MOMENT}", param_hint=option) from None
