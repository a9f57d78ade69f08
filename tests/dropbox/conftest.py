"""A machine with a drop box for each test; elsewhere the tests skip themselves and say why."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.dropbox import machine as machines
from tests.dropbox.machine import Machine
from tests.support.endpoint import Endpoint


@pytest.fixture
def machine() -> Iterator[Machine]:
    """Return a machine with an empty drop box, and an endpoint for its service."""
    why = machines.why_no_machine()
    if why:
        pytest.skip(why)
    with Endpoint() as endpoint, machines.machine(endpoint) as made:
        yield made
