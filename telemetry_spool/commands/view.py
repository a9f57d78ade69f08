"""See all of it in a browser: `view`."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from telemetry_spool.commands.console import Json, fail, say
from telemetry_spool.page import file, opening
from telemetry_spool.page.gather import gather
from telemetry_spool.page.render import render
from telemetry_spool.page.watching import look
from telemetry_spool.text import plain
from telemetry_spool.writer_settings import WriterConfig, writer_config

# How often --watch looks for news, and the page for a new file.
_WATCH_SECONDS = 2.0
_REFRESH_SECONDS = 3
# An uploader that is killed changes no file: its heartbeat only becomes old.
_ANYWAY_SECONDS = 30.0
# Reading a million events takes seconds: this many times as long nothing is done after that.
_REST = 4


def view(
    *,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write it there; - is stdout."),
    ] = None,
    no_open: Annotated[bool, typer.Option("--no-open", help="Open no browser.")] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Keep it up to date until Ctrl-C; it reloads itself.")
    ] = False,
    as_json_: Json = False,
) -> None:
    """Write one page with all there is to see and open it in a browser. No server, no network.

    The file can be read by you alone, and it loads, sends and runs nothing from elsewhere.

    Examples: telemetry-spool view; telemetry-spool view --watch;
    telemetry-spool view --no-open --output telemetry.html
    """
    config = writer_config()
    if str(output) == "-":
        if watch or as_json_:
            fail("--output - goes with neither --watch nor --json", os.EX_USAGE)
        sys.stdout.buffer.write(_page(config).encode())
        return
    try:
        target = file.chosen_file(output) if output else file.default_file(config.directories)
    except file.NoPlace as error:
        fail(str(error), os.EX_CANTCREAT)
    seen = look(config)
    file.write(target, _page(config, _REFRESH_SECONDS if watch else None))
    obstacle = "--no-open" if no_open else opening.why_not()
    opened = not obstacle and opening.open_in_browser(target)
    if as_json_:
        say(json.dumps({"file": str(target), "opened": opened, "watching": watch}))
    else:
        _tell(target, obstacle, opened=opened, by_default=output is None)
    if watch:
        _watch(config, target, seen, quiet=as_json_)


def _page(config: WriterConfig, refresh: int | None = None) -> str:
    return render(gather(config, datetime.now(tz=UTC), refresh))


def _tell(target: Path, obstacle: str, *, opened: bool, by_default: bool) -> None:
    say(f"The page is in {plain(str(target))}")
    if opened:
        say("It opens in your browser.")
        if by_default and (remedy := opening.confined()):
            say(remedy)
    elif obstacle != "--no-open":
        say(f"No browser was opened: {obstacle or 'none was found'}.")
        say(plain(opening.how_to_copy(target)))


def _watch(config: WriterConfig, target: Path, seen: frozenset[object], *, quiet: bool) -> None:
    """Write the page again whenever there is something new, then once more to say that it ends."""
    if not quiet:
        say("It is kept up to date until Ctrl-C.")
    sys.stdout.flush()
    pause, written, took = threading.Event(), time.monotonic(), 0.0
    try:
        while True:
            pause.wait(max(_WATCH_SECONDS, _REST * took))
            found = look(config)
            if found != seen or time.monotonic() - written > _ANYWAY_SECONDS:
                seen, written = found, time.monotonic()
                file.write(target, _page(config, _REFRESH_SECONDS))
                took = time.monotonic() - written
    except KeyboardInterrupt:
        file.write(target, _page(config))
