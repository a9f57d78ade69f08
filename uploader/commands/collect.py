"""Collect events here: `collect`."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path
from typing import Annotated

import typer

from uploader import logs
from uploader.commands.console import Verbose
from uploader.complaints import fail


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
    import sqlite3  # what no other command needs is loaded here

    from uploader import collector

    logs.configure(verbose=verbose)
    try:
        store = collector.Store(database)
    except sqlite3.Error as error:
        fail(f"{database}: {error}", os.EX_CANTCREAT)
    try:
        server = collector.Collector(host, port, store)
    except OSError as error:
        fail(f"cannot listen on {host}:{port}: {error.strerror}", os.EX_UNAVAILABLE)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: threading.Thread(target=server.shutdown).start())
    typer.echo(server.url)
    sys.stdout.flush()
    server.serve_forever()
    server.server_close()
    store.close()
