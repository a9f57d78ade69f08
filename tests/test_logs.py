"""Logs: one line a message, with priorities where the journal reads them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

LOG = """
import logging
from uploader import logs
from uploader.complaints import fail
logs.configure(verbose=True)
log = logging.getLogger("test")
log.debug("step")
log.info("sending from %s", "/a\\nb\\x1b[31m")
log.warning("waiting")
try:
    raise ValueError("bad\\nvalue")
except ValueError:
    log.exception("a request failed")
log.critical("the end")
fail("no such place", 73)
"""

FAILED = "a request failed | Traceback (most recent call last): | File"


def said(tmp_path: Path, *, journal: bool | None) -> list[str]:
    """Run something that logs; return its lines. `journal` None: the variable is another's."""
    stderr = tmp_path / "stderr"
    with stderr.open("wb") as file:
        status = os.fstat(file.fileno())
        other = {True: 0, None: 1}.get(journal, 0)
        stream = {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino + other}"}
        environ = os.environ | ({} if journal is False else stream)
        done = subprocess.run([sys.executable, "-c", LOG], env=environ, stderr=file, check=False)
    assert done.returncode == 73
    return stderr.read_text().splitlines()


def test_the_journal_gets_priorities_instead_of_words(tmp_path: Path) -> None:
    """It would take a second line for a message of its own, without priority."""
    debug, info, warning, error, critical, complaint = said(tmp_path, journal=True)

    assert debug == "<7>step"
    assert info == "<6>sending from /a | b\N{REPLACEMENT CHARACTER}[31m"
    assert warning == "<4>waiting"
    assert error.startswith(f"<3>{FAILED}")
    assert error.endswith("ValueError: bad | value")
    assert critical == "<2>the end"
    assert complaint == "<3>telemetry-uploader: no such place"


@pytest.mark.parametrize("journal", [False, None])
def test_elsewhere_the_level_is_a_word(tmp_path: Path, *, journal: bool | None) -> None:
    """The variable alone means nothing: what systemd starts may have its stderr elsewhere."""
    debug, info, warning, error, critical, complaint = said(tmp_path, journal=journal)

    assert debug == "DEBUG step"
    assert info == "INFO sending from /a | b\N{REPLACEMENT CHARACTER}[31m"
    assert warning == "WARNING waiting"
    assert error.startswith(f"ERROR {FAILED}")
    assert critical == "CRITICAL the end"
    assert complaint == "telemetry-uploader: no such place"
