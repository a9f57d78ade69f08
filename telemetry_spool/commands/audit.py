"""Examine what events say: `audit`."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Iterable
from typing import Annotated

import typer

from telemetry_spool.audit import Finding, Kind, audit, is_clean
from telemetry_spool.commands.console import SHORT_ID, JsonLines, complain, say
from telemetry_spool.commands.finding import find
from telemetry_spool.commands.progress import Progress
from telemetry_spool.entries import SPOOLED, Entry, State, as_json, entries
from telemetry_spool.events import Malformed, parse
from telemetry_spool.owner import owner_of
from telemetry_spool.personal import Owner
from telemetry_spool.segment import Line
from telemetry_spool.text import counted, plain
from telemetry_spool.writer_settings import writer_config

# Longer ones are cut: `show` has them whole.
_WORDS = 60

_FOUND = 1


def audit_(
    events: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ID]...", help="Ids, or their beginnings. Default: all pending."),
    ] = None,
    as_json_: JsonLines = False,
) -> None:
    """Find what in the spool is not as documented, and what looks personal.

    Each finding is "personal" (a name, a path, an address, a token) or "undocumented" (Flower is
    not known to send it); --json also has "off-page" (sent by Flower, on none of its pages). Ends
    with 1 if anything is personal or undocumented.

    Examples: telemetry-spool audit; telemetry-spool audit --json | jq 'select(.clean | not)'
    """
    directories = writer_config().directories
    owner = owner_of(os.getuid())
    if events:
        chosen: Iterable[Entry] = find(directories, events, (*SPOOLED, State.REJECTED))
    else:
        chosen = entries(directories, SPOOLED, complain)
    progress = Progress()
    report = _Report(as_json=as_json_)
    for entry in progress.watch(chosen):
        findings = _audited(entry, owner)
        if as_json_ or not is_clean(findings):
            progress.clear()
        report.add(entry, findings)
    report.end()


def _audited(entry: Entry, owner: Owner) -> list[Finding]:
    body = entry.body or b""
    event = parse(Line(0, len(body) + 1, body))
    if isinstance(event, Malformed):
        return [Finding("", f"is {event.reason}", Kind.UNDOCUMENTED)]
    return audit(json.loads(body), owner)


class _Report:
    """Says of each event what was found, as it comes, and of all of them at the end."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._events = 0
        self._with: Counter[Kind] = Counter()
        self._unclean = 0
        self._off_page: dict[str, None] = {}

    def add(self, entry: Entry, findings: list[Finding]) -> None:
        clean = is_clean(findings)
        self._events += 1
        self._unclean += not clean
        self._with.update({finding.kind for finding in findings})
        self._off_page.update(
            {finding.path: None for finding in findings if finding.kind is Kind.OFF_PAGE}
        )
        if self._as_json:
            found = [_row(finding) for finding in findings]
            say(json.dumps(as_json(entry) | {"clean": clean, "findings": found}))
        elif not clean:
            say(f"{entry.id[:SHORT_ID]}  {entry.state}  {plain(entry.event_type)}")
            for finding in findings:
                if finding.kind is not Kind.OFF_PAGE:
                    say(f"  {finding.kind.value:<12}  {_in_words(finding)}")

    def end(self) -> None:
        if not self._as_json:
            say(self._summary())
            if self._off_page:
                say(f"Sent by Flower, on none of its pages: {', '.join(self._off_page)}.")
        if self._unclean:
            sys.exit(_FOUND)

    def _summary(self) -> str:
        if not self._unclean:
            return f"{counted(self._events)}, nothing personal or undocumented."
        kinds = (Kind.PERSONAL, Kind.UNDOCUMENTED)
        parts = [f"{self._with[kind]:,} with something {kind.value}" for kind in kinds]
        return f"{counted(self._events)}: {', '.join(parts)}."


def _row(finding: Finding) -> dict[str, str]:
    row = {"kind": finding.kind.value, "path": finding.path, "problem": finding.problem}
    return row | {"words": finding.words} if finding.words else row


def _in_words(finding: Finding) -> str:
    words = finding.words if len(finding.words) <= _WORDS else f"{finding.words[:_WORDS]}…"
    shown = f": {plain(words)!r}" if words else ""
    return f"{plain(finding.path) or 'the event'} {plain(finding.problem)}{shown}"
