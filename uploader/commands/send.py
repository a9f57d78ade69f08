"""Send what is in the spool: `run` and `once`."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from telemetry_spool.overview import overview
from telemetry_spool.text import counted
from uploader import config, logs, resident
from uploader.commands.console import Flags, Verbose
from uploader.complaints import complain, fail
from uploader.config import UploaderConfig
from uploader.engine import Engine
from uploader.once import Ending, drain
from uploader.options import with_settings


@with_settings
def run(flags: Flags, verbose: Verbose = False) -> None:
    """Send what is in the spool and whatever comes, until stopped with SIGTERM or Ctrl-C.

    SIGHUP reloads the settings files. Under systemd (Type=notify) it says what it is doing.

    Example: telemetry-uploader run --endpoint https://telemetry.example.org/api/v1/event
    """
    resident.become(resident.Orders(flags, verbose))


@with_settings
def once(
    flags: Flags,
    wait: Annotated[
        float, typer.Option(min=0, help="Seconds to wait in all for an endpoint that is busy.")
    ] = 5.0,
    verbose: Verbose = False,
) -> None:
    """Send what is in the spool now and end: for cron, login nodes, and by hand.

    Exit codes: 0 everything was sent, 75 events were kept for later, 78 a setting is wrong.

    Example: telemetry-uploader once --wait 60
    """
    logs.configure(verbose=verbose, usual=logging.ERROR)  # the last line says what matters
    loaded = config.load(flags)
    with _progress(loaded) as progress:
        result = drain(loaded, wait, progress)
    if result.rejected:
        complain(f"{result.rejected} events were set aside in {loaded.directories.rejected}")
    if result.ending is not Ending.DRAINED:
        kept = overview(loaded.directories, loaded.mode_file).pending.events
        if kept:
            fail(f"{counted(kept)} kept for later: {result.reason}", os.EX_TEMPFAIL)


@contextmanager
def _progress(loaded: UploaderConfig) -> Iterator[Callable[[Engine], None]]:
    """Show a progress bar on a terminal; elsewhere nothing."""
    if not sys.stderr.isatty():
        yield lambda _engine: None
        return
    from rich.console import Console  # a third of the time that the command takes to start
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    total = overview(loaded.directories, loaded.mode_file).pending.events
    columns = (TextColumn("sending"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("sending", total=total)

        def update(engine: Engine) -> None:
            done = engine.counters.accepted + engine.counters.rejected
            bar.update(task, completed=done, total=max(total, done))

        yield update
