"""The command `telemetry-uploader`."""

from __future__ import annotations

import json
import logging
import os
import signal
import sqlite3
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from telemetry_spool.command import new_command
from telemetry_spool.consent import ConsentReader
from telemetry_spool.overview import as_json, as_text, overview
from telemetry_spool.settings import SettingError
from telemetry_spool.text import counted, print_any_character
from uploader import collector, config, daemon
from uploader.config import UploaderConfig
from uploader.daemon import Ending
from uploader.engine import Engine
from uploader.options import shown, with_settings

Flags = Mapping[str, object]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Log every step.")]

app = new_command(
    "telemetry-uploader",
    "Send what Flower's processes have spooled. This command does all the networking.",
)


def main() -> None:
    """Run the command; what a person can mend ends in one line on stderr and an exit code."""
    print_any_character()
    try:
        app()
    except SettingError as error:
        _fail(str(error), os.EX_CONFIG)
    except OSError as error:
        _fail(f"{error.filename or ''}: {error.strerror or error}".lstrip(": "), os.EX_CANTCREAT)


def _say(message: str) -> None:
    sys.stderr.write(f"telemetry-uploader: {message}\n")


def _fail(message: str, code: int) -> NoReturn:
    _say(message)
    sys.exit(code)


def _configure_logging(*, verbose: bool, usual: int = logging.INFO) -> None:
    logging.basicConfig(
        level=logging.DEBUG if verbose else usual,
        format="%(levelname)s %(message)s",
        stream=sys.stderr,
    )
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    logging.getLogger("watchdog").setLevel(logging.WARNING)


@app.command()
@with_settings
def run(flags: Flags, verbose: Verbose = False) -> None:
    """Send what is in the spool and whatever comes, until stopped with SIGTERM or Ctrl-C.

    Example: telemetry-uploader run --endpoint https://telemetry.example.org/api/v1/event
    """
    _configure_logging(verbose=verbose)
    daemon.run(config.load(flags))


@app.command()
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
    _configure_logging(verbose=verbose, usual=logging.ERROR)  # the last line says what matters
    loaded = config.load(flags)
    with _progress(loaded) as progress:
        result = daemon.once(loaded, wait, progress)
    if result.rejected:
        _say(f"{result.rejected} events were set aside in {loaded.directories.rejected}")
    if result.ending is not Ending.DRAINED:
        kept = overview(loaded.directories, loaded.mode_file).pending.events
        if kept:
            _fail(f"{counted(kept)} kept for later: {result.reason}", os.EX_TEMPFAIL)


@contextmanager
def _progress(loaded: UploaderConfig) -> Iterator[Callable[[Engine], None]]:
    """Show a progress bar on a terminal; elsewhere nothing."""
    if not sys.stderr.isatty():
        yield lambda _engine: None
        return
    total = overview(loaded.directories, loaded.mode_file).pending.events
    columns = (TextColumn("sending"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("sending", total=total)

        def update(engine: Engine) -> None:
            done = engine.counters.accepted + engine.counters.rejected
            bar.update(task, completed=done, total=max(total, done))

        yield update


@app.command()
@with_settings
def status(flags: Flags, as_json_: Json = False) -> None:
    """Show what is waiting and what the uploader is doing.

    Exit codes: 0 the uploader runs (or is on another host), 1 it does not.

    Example: telemetry-uploader status --json | jq .pending.events
    """
    loaded = config.load(flags)
    state = overview(loaded.directories, loaded.mode_file)
    typer.echo(json.dumps(as_json(state), indent=2) if as_json_ else as_text(state), nl=as_json_)
    if state.alive is False:
        raise typer.Exit(1)


@app.command()
@with_settings
def check(flags: Flags, as_json_: Json = False) -> None:
    """Check the settings, and show each with the place it comes from. Opens no connection.

    Exit codes: 0 they are fine, 78 one is wrong.

    Example: FLWR_TELEMETRY_CONCURRENCY=8 telemetry-uploader check
    """
    resolved = config.resolve(flags, os.environ)
    loaded = config.build(resolved)
    consent = ConsentReader(loaded.mode_file).now()
    effective: dict[str, Any] = {
        name: {"value": setting.value, "origin": setting.origin}
        for name, setting in resolved.items()
    }
    effective["dir"]["value"] = str(loaded.directories.root)
    effective["spool_dir"]["value"] = str(loaded.directories.spool)
    if as_json_:
        mode = {"value": consent.mode.value, "origin": consent.rule}
        typer.echo(json.dumps({"settings": effective, "mode": mode}, indent=2))
        return
    for name, entry in effective.items():
        typer.echo(f"{name:<18} {shown(entry['value']):<45} {entry['origin']}")
    typer.echo(f"{'mode':<18} {consent.mode.value:<45} {consent.rule}")


@app.command()
def collect(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 picks a free one.")] = 8787,
    database: Annotated[Path, typer.Option(help="SQLite file for the events.")] = Path("events.db"),
    verbose: Verbose = False,
) -> None:
    """Collect events here: for demos, tests, and sites without a way out.

    Answers as Flower's endpoint does; an event that comes twice is stored once. Prints the
    endpoint's URL as its first line and runs until SIGTERM or Ctrl-C.

    Example: telemetry-uploader collect --port 0 --database events.db
    """
    _configure_logging(verbose=verbose)
    try:
        store = collector.Store(database)
    except sqlite3.Error as error:
        _fail(f"{database}: {error}", os.EX_CANTCREAT)
    try:
        server = collector.Collector(host, port, store)
    except OSError as error:
        _fail(f"cannot listen on {host}:{port}: {error.strerror}", os.EX_UNAVAILABLE)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: threading.Thread(target=server.shutdown).start())
    typer.echo(server.url)
    sys.stdout.flush()
    server.serve_forever()
    server.server_close()
    store.close()


if __name__ == "__main__":
    main()
