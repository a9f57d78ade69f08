"""Engines that run for all tests of a file."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import Place
from tests.sinks.clickhouse import ADDRESS, RECIPE, ClickHouse, clickhouse, program
from tests.sinks.visitor import Visitor


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouse]:
    """Return a running ClickHouse with the user of the page."""
    found = program()
    if found is None:
        pytest.skip("there is no clickhouse-server")
    root = tmp_path_factory.mktemp("clickhouse")
    with clickhouse(root, found, RECIPE.block("xml")) as started:
        yield started


@pytest.fixture
def visitor(server: ClickHouse, place: Place) -> Iterator[Visitor]:
    """Return somebody who has made the table of the page, for this test alone."""
    somebody = Visitor(place, RECIPE, ADDRESS, server.url)
    assert somebody.type(RECIPE.blocks("sh")[0]).code == 0
    yield somebody
    server.query("DROP TABLE flower_events")
