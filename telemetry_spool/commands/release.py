"""Let single events be sent: `send`."""

from __future__ import annotations

import json
import os
from typing import Annotated

import typer

from telemetry_spool import heartbeat
from telemetry_spool.commands.console import SHORT_ID, Yes, complain, confirm, fail, say
from telemetry_spool.commands.finding import complete, find
from telemetry_spool.consent import ConsentReader, Mode
from telemetry_spool.entries import SPOOLED, Entry
from telemetry_spool.paths import Directories
from telemetry_spool.releasing import release_events
from telemetry_spool.text import counted, plain
from telemetry_spool.writer_settings import writer_config


def send(
    events: Annotated[
        list[str],
        typer.Argument(
            metavar="ID...", help="Ids, or their beginnings, from list.", autocompletion=complete
        ),
    ],
    yes: Yes = False,
) -> None:
    """Let single events be sent, in mode local too, after showing each as it will go.

    Opens no connection: the uploader sends them, before all others. In mode off, and
    where a site policy allows at most local, nothing is sent.

    Examples: telemetry-spool send 3f2a91; telemetry-spool send --yes 3f2a91 77c0d2
    """
    config = writer_config()
    consent = ConsentReader(config.mode_file).now()
    if consent.mode is Mode.OFF or (consent.mode is Mode.LOCAL and not consent.releases):
        fail(f"the mode is {consent.mode.value}: {consent.rule}; nothing is sent", os.EX_NOPERM)
    found = find(config.directories, events, SPOOLED)
    for entry in found:
        say(f"{entry.id[:SHORT_ID]}  {entry.state}")
        say(_shown(entry))
    confirm(f"Send {counted(len(found))}?", yes=yes)
    failures = release_events(config.directories, {entry.id: entry.body or b"" for entry in found})
    say(f"{_sender(config.directories)} sends {counted(len(found))}.")
    for failure in failures:
        complain(f"{failure} (the event is sent all the same, and may be sent from there again)")
    if failures:
        raise typer.Exit(os.EX_TEMPFAIL)


def _shown(entry: Entry) -> str:
    body = entry.body or b""
    try:
        return json.dumps(json.loads(body), indent=2)
    except (ValueError, RecursionError):
        return plain(body.decode("utf-8", "backslashreplace"))


def _sender(directories: Directories) -> str:
    last = heartbeat.read(directories.heard_of)
    if last is not None and heartbeat.is_alive(last) is not False:
        return f"The uploader (pid {last.pid} on {plain(last.host)})"
    if last is not None and heartbeat.ran_lately(last):
        return "The next run of the uploader"
    return "No uploader runs; telemetry-uploader once"
