"""Find events by id, or by the beginning of one."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from telemetry_spool.commands.console import SHORT_ID, complain, fail
from telemetry_spool.commands.progress import Progress
from telemetry_spool.entries import SPOOLED, Entry, State, entries
from telemetry_spool.paths import Directories
from telemetry_spool.writer_settings import writer_config

_SHOWN = 5
_COMPLETIONS = 100


def find(directories: Directories, wanted: Iterable[str], states: Iterable[State]) -> list[Entry]:
    """Return the event of each id or beginning of one, once each, the more important state first.

    Ends the command with one line if one of them is unknown or the beginning of several.
    """
    beginnings = {text.lower(): text for text in wanted}
    found: dict[str, dict[str, Entry]] = {beginning: {} for beginning in beginnings}
    for entry in Progress().watch(entries(directories, states, complain)):
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


def complete(incomplete: str) -> list[str]:
    """Return ids for a shell to complete what was typed; none where the spool cannot be read."""
    return _completed(incomplete, SPOOLED)


def complete_rejected(incomplete: str) -> list[str]:
    """Return ids of dead letters, likewise."""
    return _completed(incomplete, (State.REJECTED,))


def _completed(incomplete: str, states: Iterable[State]) -> list[str]:
    try:
        found = entries(writer_config().directories, states, lambda _: None)
        ids = (entry.id[:SHORT_ID] for entry in found if entry.id.startswith(incomplete.lower()))
        return list(islice(ids, _COMPLETIONS))
    except OSError:
        return []
