"""The table of faults: what goes wrong, and what happens then. The tests fill it, docs show it.

A test that brings about one fault is decorated:

    @survives("disk", "the disk is full", "the event is counted as lost, the file is as it was")
    def test_full_disk(...): ...

A test over a table of faults takes its rows from `Fault` objects and says so:

    ROWS = [Row(Fault("network", "the connection is refused", "…"), …), …]

    @survives_each(row.fault for row in ROWS)
    @pytest.mark.parametrize("row", ROWS, ids=…)
    def test_network_fault(row: Row): ...
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from tests import faults

GROUPS = {
    "crash": "Crashes: SIGKILL at a system call",
    "data": "Corrupt and hostile files",
    "disk": "The file system",
    "network": "The network",
    "concurrency": "Many at once",
}

Test = TypeVar("Test", bound=Callable[..., None])


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One fault: `group` is a key of `GROUPS`, the others are short phrases for a table."""

    group: str
    what: str
    then: str


_TESTS: dict[Fault, str] = {}


def survives(group: str, what: str, then: str) -> Callable[[Test], Test]:
    """Put the fault that a test brings about into the table."""
    return survives_each([Fault(group, what, then)])


def survives_each(rows: Iterable[Fault]) -> Callable[[Test], Test]:
    """Put the faults that a parametrised test brings about into the table."""

    def register(test: Test) -> Test:
        for fault in rows:
            if fault.group not in GROUPS or fault in _TESTS:
                raise ValueError(f"not a group, or in the table twice: {fault}")
            _TESTS[fault] = f"{test.__module__.rpartition('.')[2]}.py::{test.__name__}"
        return test

    return register


def tested_faults() -> dict[Fault, str]:
    """Import every module of fault tests; return each fault with the test that brings it about."""
    for module in pkgutil.iter_modules(faults.__path__, f"{faults.__name__}."):
        importlib.import_module(module.name)
    return dict(_TESTS)
