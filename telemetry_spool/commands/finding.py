"""Find events by id, or by the beginning of one."""

from __future__ import annotations

from collections.abc import Iterable

from telemetry_spool.commands.console import SHORT_ID, complain, fail
from telemetry_spool.entries import Entry, State, entries
from telemetry_spool.paths import Directories

_SHOWN = 5


def find(directories: Directories, wanted: Iterable[str], states: Iterable[State]) -> list[Entry]:
    """Return the event of each id or beginning of one, once each, the more important state first.

    Ends the command with one line if one of them is unknown or the beginning of several.
    """
    beginnings = {text.lower(): text for text in wanted}
    found: dict[str, dict[str, Entry]] = {beginning: {} for beginning in beginnings}
    for entry in entries(directories, states, complain):
        for beginning, by_id in found.items():
            if entry.id.startswith(beginning):
                by_id.setdefault(entry.id, entry)
    return [
        _the_one(beginnings[beginning], by_id, directories) for beginning, by_id in found.items()
    ]


def _the_one(text: str, by_id: dict[str, Entry], directories: Directories) -> Entry:
    if not by_id:
        fail(f"no event {text!r} in {directories.root}; telemetry-spool list shows all")
    if len(by_id) > 1:
        short = ", ".join(sorted(name[:SHORT_ID] for name in list(by_id)[:_SHOWN]))
        fail(f"{text!r} is the beginning of {len(by_id)} ids ({short}, …): give more of it")
    return next(iter(by_id.values()))
