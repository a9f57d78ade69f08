"""Current ClickHouse takes batches as docs/sinks.md says; chDB stands for the server."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from telemetry_spool.segment import event_id
from tests.sinks.batches import HARD_TO_CARRY, RUN
from tests.sinks.page import recipe
from tests.support.environments import Environment, NotProvisioned, another
from tests.support.events import event
from tests.support.processes import DEADLINE_SECONDS

RECIPE = recipe("Current ClickHouse")
(QUERY,) = recipe("Debian's ClickHouse").statements[1:]

_RUN = """
import json, sys
from chdb import session
database = session.Session(sys.argv[1])
database.query("CREATE DATABASE IF NOT EXISTS here")
database.query("USE here")
said = [str(database.query(statement, "TabSeparated")) for statement in json.load(sys.stdin)]
print(json.dumps(said))
"""

Ask = Callable[..., list[list[str]]]


@pytest.fixture(scope="module")
def chdb() -> Environment:
    """Return an environment with chDB."""
    try:
        return another("chdb")
    except NotProvisioned as error:
        pytest.skip(f"chDB cannot be installed: {error}")


@pytest.fixture
def ask(chdb: Environment, tmp_path: Path) -> Ask:
    """Return what runs statements in one new database and returns the rows of the last one."""

    def run(*statements: str) -> list[list[str]]:
        done = subprocess.run(
            [chdb.python, "-c", _RUN, tmp_path / "database"],
            input=json.dumps([*RECIPE.statements, *statements]),
            check=False,
            capture_output=True,
            text=True,
            timeout=DEADLINE_SECONDS,
        )
        assert done.returncode == 0, done.stderr
        last: str = json.loads(done.stdout)[-1]
        return [line.split("\t") for line in last.splitlines()]

    return run


def inserted(lines: list[bytes]) -> str:
    """Return the statement that the server makes of the URL of the page and this batch."""
    endpoint: str = RECIPE.settings["endpoint"]
    (insert,) = parse_qs(urlsplit(endpoint).query)["query"]
    return insert + "\n" + "".join(f"{line.decode()}\n" for line in lines)


def test_lines_survive_byte_for_byte_under_the_ids_that_the_uploader_knows(ask: Ask) -> None:
    """Blanks around the object included."""
    lines = [*HARD_TO_CARRY, b'  {"event_type": "BLANKS"}  ']
    rows = ask(inserted(lines), "SELECT id, hex(line) FROM flower_events FINAL")
    assert {key: bytes.fromhex(line) for key, line in rows} == {
        event_id(line): line for line in lines
    }


def test_runs_are_counted_once_each_by_version_whatever_came_twice(ask: Ask) -> None:
    """A batch repeated, and one event repeated among others; texts in events confuse nothing."""
    old = [event(RUN, version="1.20.0", details={"n": n}) for n in range(3)]
    new = [event(RUN, version="1.41.0", details={"n": n}) for n in range(5)]
    rows = ask(
        inserted(old), inserted(old), inserted(old[:1] + new), inserted(HARD_TO_CARRY[:3]), QUERY
    )
    assert rows == [["1.41.0", "8"], ["1.20.0", "3"]]
