"""What the tests of the service share."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service.machine import Machine, booted, why_no_machine


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    """Boot a machine with the package installed and nothing started; skip where none boots.

    Each file has its own: it takes seconds, and no file finds what another one has left.
    """
    reason = why_no_machine()
    if reason:
        pytest.skip(reason)
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary) / "machine"
        directory.mkdir()
        with booted(directory) as made:
            yield made
