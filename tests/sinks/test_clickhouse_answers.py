"""What Debian's ClickHouse says to a request, where docs/sinks.md relies on it or warns of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.sinks.batches import RUN, post
from tests.sinks.clickhouse import ClickHouse
from tests.sinks.visitor import Visitor
from tests.support.events import event


@pytest.fixture
def of_18(server: ClickHouse) -> None:
    """Skip where another version is installed than the page speaks of."""
    if not server.is_debians():
        pytest.skip("this is not Debian's version")


@pytest.fixture
def typed(server: ClickHouse) -> Iterator[str]:
    """Make a table with columns of the keys, and return where JSONEachRow gets into it."""
    server.query(
        "CREATE TABLE typed (event_type String, `context.date` String,"
        " `context.flower.package_version` String) ENGINE = MergeTree ORDER BY event_type"
    )
    yield (
        f"{server.url}/?query=INSERT%20INTO%20typed%20FORMAT%20JSONEachRow"
        "&input_format_skip_unknown_fields=1&input_format_import_nested_json=1"
    )
    server.query("DROP TABLE typed")


def test_acceptance_is_a_2xx_without_a_body(visitor: Visitor) -> None:
    """This is what the uploader takes for a yes."""
    answer = post(visitor.settings, [event(RUN)])
    assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.usefixtures("of_18")
@pytest.mark.parametrize("unknown", [{"authorization": "Bearer secret"}, {"compression": "zstd"}])
def test_what_it_does_not_know_looks_like_trouble_of_its_own(
    visitor: Visitor, unknown: dict[str, str]
) -> None:
    """The page warns of both: the uploader would wait for ever."""
    assert post(visitor.settings | unknown, [event(RUN)]).status_code == 500


def test_a_batch_is_stored_whole_or_not_at_all(server: ClickHouse, typed: str) -> None:
    """So the halves of a refused batch can be sent again without ado."""
    batch = [b'{"event_type": "A"}', b'{"event_type": 5}', b'{"event_type": "B"}']
    assert post({"endpoint": typed}, batch).status_code == 400
    assert server.query("SELECT count() FROM typed") == [["0"]]


@pytest.mark.usefixtures("of_18")
def test_json_each_row_does_not_reach_the_version_of_flower(server: ClickHouse, typed: str) -> None:
    """One level down it does."""
    assert post({"endpoint": typed}, [event("A", date="today")]).status_code == 200
    assert server.query("SELECT * FROM typed") == [["A", "today", ""]]


@pytest.mark.usefixtures("of_18")
@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b'{"event_type": 5}', 400),
        (b'{"context": "a text"}', 500),
        (b'{"event_type": "A", "event_type": "B"}', 500),
    ],
)
def test_json_each_row_blames_itself_for_some_events(typed: str, line: bytes, status: int) -> None:
    """Of these the uploader cannot know that they will never be taken."""
    assert post({"endpoint": typed}, [line]).status_code == status
