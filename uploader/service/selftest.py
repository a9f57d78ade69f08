"""One event through the service's own sandbox to a collector in this process, and nowhere else."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

from uploader.service.apply import CommandFailed, apply
from uploader.service.obstacle import Obstacle
from uploader.service.probe import EVENT
from uploader.service.steps import Step


def self_test(
    steps: Callable[[str], Iterable[Step]],
    ending: Iterable[Step],
    last_words: Callable[[], str],
) -> None:
    """Run the steps that send the test event to an endpoint, and see that it arrives.

    Raises Obstacle with the last words of what was run if it does not.
    """
    from uploader.collector import Collector, Store  # every other command does without a server

    with tempfile.TemporaryDirectory() as temporary:
        database = Path(temporary) / "events.db"
        store = Store(database)
        collector = Collector("127.0.0.1", 0, store)
        threading.Thread(target=collector.serve_forever, daemon=True).start()
        try:
            apply(steps(collector.url))
        except CommandFailed as error:
            raise Obstacle(f"self-test: {last_words() or error}", os.EX_SOFTWARE) from error
        finally:
            apply(ending)
            collector.shutdown()
            collector.server_close()
            store.close()
        if _bodies(database) != [EVENT]:
            raise Obstacle("self-test: the test event did not arrive", os.EX_SOFTWARE)


def _bodies(database: Path) -> list[bytes]:
    import sqlite3

    connection = sqlite3.connect(database)
    try:
        return [body for (body,) in connection.execute("SELECT body FROM events")]
    finally:
        connection.close()
