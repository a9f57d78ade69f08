"""Debian's ClickHouse takes batches as docs/sinks.md says."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from telemetry_spool.segment import event_id
from tests.sinks.batches import HARD_TO_CARRY, RUN, post
from tests.sinks.clickhouse import ClickHouse, clickhouse, program
from tests.sinks.page import recipe
from tests.support.events import event
from tests.support.processes import DEADLINE_SECONDS

RECIPE = recipe("Debian's ClickHouse")
ADDRESS = "http://127.0.0.1:8123"
NOT_DEBIANS = "this is not the version that the page speaks of"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouse]:
    """Return a running server with the user of the page."""
    found = program()
    if found is None:
        pytest.skip("there is no clickhouse-server")
    root = tmp_path_factory.mktemp("clickhouse")
    with clickhouse(root, found, RECIPE.block("xml")) as started:
        yield started


@dataclass(frozen=True, slots=True)
class Table:
    """The table of the page, and how the page fills and reads it."""

    server: ClickHouse

    def type(self, block: str) -> list[list[str]]:
        """Run a shell block of the page against this server; return what it prints, as rows."""
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", block.replace(ADDRESS, self.server.url)],
            env=os.environ,
            check=False,
            capture_output=True,
            text=True,
            timeout=DEADLINE_SECONDS,
        )
        assert (done.returncode, done.stderr) == (0, ""), done.stdout
        return [line.split("\t") for line in done.stdout.splitlines()]

    def settings(self, **changed: str) -> dict[str, Any]:
        """Return the uploader's settings of the page, for this server."""
        settings = RECIPE.settings | changed
        return settings | {"endpoint": settings["endpoint"].replace(ADDRESS, self.server.url)}

    def lines(self) -> dict[str, bytes]:
        """Return the line of each id that is stored, each once."""
        rows = self.server.query("SELECT id, hex(line) FROM flower_events FINAL")
        return {key: bytes.fromhex(line) for key, line in rows}

    def runs(self) -> list[list[str]]:
        """Return what the page's query says."""
        return self.type(RECIPE.blocks("sh")[-1])


@pytest.fixture
def table(server: ClickHouse) -> Iterator[Table]:
    """Make the table of the page, for this test alone."""
    made = Table(server)
    made.type(RECIPE.blocks("sh")[0])
    yield made
    server.query("DROP TABLE flower_events")


def test_lines_survive_byte_for_byte_under_the_ids_that_the_uploader_knows(table: Table) -> None:
    """Quotes, escapes, control characters and other alphabets are not ClickHouse's business."""
    assert post(table.settings(), HARD_TO_CARRY).status_code == 200
    assert table.lines() == {event_id(line): line for line in HARD_TO_CARRY}


def test_runs_are_counted_once_each_by_version_whatever_came_twice(table: Table) -> None:
    """A batch repeated, and one event repeated among others; texts in events confuse nothing."""
    old = [event(RUN, version="1.20.0", details={"n": n}) for n in range(3)]
    new = [event(RUN, version="1.41.0", details={"n": n}) for n in range(5)]
    oldest = [event("START_SIMULATION_ENTER", version="1.5.0")]
    others = [event("PYTHON_API_RUN_SIMULATION_LEAVE", version="1.41.0", details={"n": 1})]
    for batch in (old + others, old + others, oldest + old[:1] + new, HARD_TO_CARRY[:3]):
        assert post(table.settings(), batch).status_code == 200
    assert table.runs() == [["1.41.0", "8"], ["1.20.0", "3"], ["1.5.0", "1"]]


def test_acceptance_is_a_2xx_without_a_body(table: Table) -> None:
    """This is what the uploader takes for a yes."""
    answer = post(table.settings(), [event(RUN)])
    assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"authorization": "Basic eDp5"}, 401),
        ({"endpoint": f"{ADDRESS}/?query=INSERT%20INTO%20nosuch%20FORMAT%20CSV"}, 404),
        ({"endpoint": f"{ADDRESS}/?database=nosuch&query=INSERT%20INTO%20t%20FORMAT%20CSV"}, 404),
    ],
    ids=["wrong password", "no table", "no database"],
)
def test_an_operators_mistake_is_not_taken_for_a_bad_event(
    table: Table, changed: dict[str, str], status: int
) -> None:
    """These are answers that hold the uploader and lose nothing."""
    assert post(table.settings(**changed), [event(RUN)]).status_code == status


def test_a_batch_is_stored_whole_or_not_at_all(server: ClickHouse) -> None:
    """So that the halves of a refused batch can be sent again without ado."""
    server.query("CREATE TABLE typed (event_type String) ENGINE = MergeTree ORDER BY event_type")
    try:
        into = f"{server.url}/?query=INSERT%20INTO%20typed%20FORMAT%20JSONEachRow"
        batch = [b'{"event_type": "A"}', b'{"event_type": 5}', b'{"event_type": "B"}']
        assert post({"endpoint": into}, batch).status_code == 400
        assert server.query("SELECT count() FROM typed") == [["0"]]
        assert post({"endpoint": into}, [batch[0], batch[2]]).status_code == 200
        assert server.query("SELECT count() FROM typed") == [["2"]]
    finally:
        server.query("DROP TABLE typed")


def test_json_each_row_has_the_limits_that_the_page_names(server: ClickHouse) -> None:
    """The version of Flower stays out of reach, and some events hold up all others."""
    if not server.is_debians():
        pytest.skip(NOT_DEBIANS)
    server.query(
        "CREATE TABLE typed (event_type String, `context.date` String,"
        " `context.flower.package_version` String) ENGINE = MergeTree ORDER BY event_type"
    )
    try:
        into = {
            "endpoint": f"{server.url}/?query=INSERT%20INTO%20typed%20FORMAT%20JSONEachRow"
            "&input_format_skip_unknown_fields=1&input_format_import_nested_json=1"
        }
        assert post(into, [event("A", date="today")]).status_code == 200
        assert server.query("SELECT * FROM typed") == [["A", "today", ""]]
        assert post(into, [b'{"event_type": 5}']).status_code == 400
        assert post(into, [b'{"context": "a text"}']).status_code == 500
        assert post(into, [b'{"event_type": "A", "event_type": "B"}']).status_code == 500
    finally:
        server.query("DROP TABLE typed")


@pytest.mark.parametrize("unknown", [{"authorization": "Bearer secret"}, {"compression": "zstd"}])
def test_what_this_version_does_not_know_looks_like_trouble_of_its_own(
    table: Table, unknown: dict[str, str]
) -> None:
    """The page warns of both: the uploader would wait for ever."""
    if not table.server.is_debians():
        pytest.skip(NOT_DEBIANS)
    assert post(table.settings(**unknown), [event(RUN)]).status_code == 500
