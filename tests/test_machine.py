"""What is reported of a machine is what Python's `platform` reports, found without a process."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys

import pytest

from telemetry_spool import machine
from tests.conftest import run_python

FLOWERS_FACTS = """
import json, platform
print(json.dumps({
    "system": platform.system(),
    "release": platform.release(),
    "platform": platform.platform(),
    "python_implementation": platform.python_implementation(),
    "python_version": platform.python_version(),
    "machine": platform.machine(),
    "architecture": platform.architecture(),
    "version": platform.version(),
}))
"""

FACTS = """
import json
from telemetry_spool import machine
print(json.dumps(machine.facts()))
"""


@pytest.mark.skipif(
    shutil.which("file") is None, reason="without the `file` command, platform knows no linkage"
)
def test_the_facts_are_those_of_platform_in_the_same_order() -> None:
    """Byte for byte what Flower would have sent."""
    assert run_python(FACTS).stdout == run_python(FLOWERS_FACTS).stdout


def test_no_process_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """`platform` runs `uname` and `file` for the same facts."""

    def popen(*arguments: object, **_: object) -> None:
        raise AssertionError(arguments)

    # It remembers what it has looked up before.
    monkeypatch.setattr(platform, "_uname_cache", None)
    monkeypatch.setattr(platform, "_platform_cache", {})
    monkeypatch.setattr(subprocess, "Popen", popen)
    monkeypatch.setattr(os, "popen", popen)

    assert json.loads(json.dumps(machine.facts()))["system"] == os.uname().sysname


@pytest.mark.parametrize("executable", ["", "/nonexistent/python"])
def test_an_interpreter_that_cannot_be_read_has_no_linkage(
    monkeypatch: pytest.MonkeyPatch, executable: str
) -> None:
    """An embedded one, for example."""
    monkeypatch.setattr(sys, "executable", executable)

    assert machine.facts()["architecture"] == (platform.architecture()[0], "")
