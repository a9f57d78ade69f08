"""Events get into Debian's ClickHouse, and runs out of it, as docs/sinks.md says."""

from __future__ import annotations

import pytest

from telemetry_spool.segment import event_id
from tests.sinks.batches import HARD_TO_CARRY, RUN
from tests.sinks.clickhouse import ADDRESS, RECIPE, ClickHouse
from tests.sinks.visitor import ONCE, Visitor
from tests.support.events import event


def test_the_page_sends_with_the_command_that_the_tests_send_with() -> None:
    """The other two blocks make the table, and count."""
    _, send, _ = RECIPE.blocks("sh")
    assert send.strip() == ONCE


def test_lines_survive_byte_for_byte_under_the_ids_of_their_receipts(
    visitor: Visitor, server: ClickHouse
) -> None:
    """Quotes, escapes, control characters and other alphabets are not ClickHouse's business."""
    done = visitor.upload(*HARD_TO_CARRY)
    assert (done.code, done.stderr) == (0, "")
    assert server.stored() == {event_id(line): line for line in HARD_TO_CARRY}
    assert visitor.receipts == dict.fromkeys(server.stored(), 1)


def test_runs_are_counted_once_each_by_version_whatever_came_twice(
    visitor: Visitor, server: ClickHouse
) -> None:
    """A batch repeated, and one event repeated among others; texts in events confuse nothing."""
    old = [event(RUN, version="1.20.0", details={"n": n}) for n in range(3)]
    new = [event(RUN, version="1.41.0", details={"n": n}) for n in range(5)]
    oldest = [event("START_SIMULATION_ENTER", version="1.5.0")]
    others = [event("PYTHON_API_RUN_SIMULATION_LEAVE", version="1.41.0", details={"n": 1})]
    for batch in (old + others, old + others, oldest + old[:1] + new, HARD_TO_CARRY[:3]):
        assert visitor.upload(*batch).code == 0
    assert server.query("SELECT count() FROM flower_events") == [["18"]]

    counted = visitor.type(RECIPE.blocks("sh")[-1])
    assert counted.stdout == "1.41.0\t8\n1.20.0\t3\n1.5.0\t1\n"


@pytest.mark.parametrize(
    "mistake",
    [
        {"authorization": "Basic eDp5"},
        {"endpoint": f"{ADDRESS}/?query=INSERT%20INTO%20nosuch%20FORMAT%20CSV"},
        {"endpoint": f"{ADDRESS}/?database=nosuch&query=INSERT%20INTO%20t%20FORMAT%20CSV"},
        {"endpoint": f"{ADDRESS}/?nosuch=1&query=INSERT%20INTO%20flower_events%20FORMAT%20CSV"},
    ],
    ids=["wrong password", "no table", "no database", "no setting"],
)
def test_an_operators_mistake_loses_nothing(
    visitor: Visitor, server: ClickHouse, mistake: dict[str, str]
) -> None:
    """Everything waits, and goes when the mistake is mended."""
    done = visitor.upload(event(RUN), **mistake)
    assert done.code == 75
    assert visitor.upload().code == 0
    assert list(server.stored().values()) == [event(RUN)]


def test_one_event_that_a_table_does_not_take_keeps_no_other_out(
    visitor: Visitor, server: ClickHouse
) -> None:
    """It alone is set aside, with ClickHouse's answer; each of the others is stored once."""
    server.query("CREATE TABLE typed (event_type String) ENGINE = MergeTree ORDER BY event_type")
    try:
        good = [f"GOOD_{n:02}" for n in range(20)]
        lines = [event(name) for name in good]
        lines.insert(7, b'{"event_type": 5}')
        into = f"{server.url}/?query=INSERT%20INTO%20typed%20FORMAT%20JSONEachRow"
        done = visitor.upload(*lines, endpoint=f"{into}&input_format_skip_unknown_fields=1")

        assert done.code == 0
        stored = server.query("SELECT event_type FROM typed ORDER BY event_type")
        assert stored == [[name] for name in good]
        (letter,) = visitor.dead_letters
        assert (letter["event"], letter["status"]) == ({"event_type": 5}, 400)
        assert "at row" in letter["response"]
    finally:
        server.query("DROP TABLE typed")
