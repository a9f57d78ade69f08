"""What the tables of faults have in common."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.network_runs import Ahead


@pytest.fixture(scope="module")
def ahead(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Ahead]:
    """Return what plays the module's `CASES`."""
    with Ahead(request.module.CASES, tmp_path_factory.mktemp("rows")) as playing:
        yield playing
