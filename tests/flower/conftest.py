"""What the tests with real Flower share."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.flower.home import Home
from tests.flower.namespaces import why_no_namespaces
from tests.support.environments import environment

NewHome = Callable[[str], Home]


@pytest.fixture(scope="module")
def new_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NewHome]:
    """Return a function that makes a new home with the environment of this name."""
    homes: list[Home] = []

    def make(name: str) -> Home:
        homes.append(Home(tmp_path_factory.mktemp("flower"), environment(name)))
        return homes[-1]

    yield make
    for home in homes:
        home.end()


@pytest.fixture(scope="module")
def namespaces() -> None:
    """Skip where this machine does not permit namespaces."""
    reason = why_no_namespaces()
    if reason:
        pytest.skip(reason)
