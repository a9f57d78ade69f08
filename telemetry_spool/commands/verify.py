"""Examine the files: `verify`."""

from __future__ import annotations

import json
import sys

from telemetry_spool.commands.console import JsonLines, say
from telemetry_spool.commands.progress import Progress
from telemetry_spool.text import plain
from telemetry_spool.verifying import Tally, verify
from telemetry_spool.writer_settings import writer_config

_BAD = 1


def verify_(as_json_: JsonLines = False) -> None:
    """Read every line of the spool, the dead letters and the receipts; name those that are bad.

    Ends with 1 if there is one. A bad line in the spool harms no other: the uploader sets it aside.

    Examples: telemetry-spool verify; telemetry-spool verify --json | jq .problem
    """
    progress = Progress()
    tally, bad = Tally(progress.step), 0
    for flaw in verify(writer_config().directories, tally):
        bad += 1
        progress.clear()
        if as_json_:
            say(json.dumps({"file": flaw.file, "offset": flaw.offset, "problem": flaw.problem}))
        else:
            place = "" if flaw.offset is None else f" at byte {flaw.offset:,}"
            say(f"{flaw.file}{place}: {plain(flaw.problem)}")
    progress.clear()
    if not as_json_:
        files = f"{tally.files:,} file{'' if tally.files == 1 else 's'}"
        lines = f"{tally.lines:,} line{'' if tally.lines == 1 else 's'}"
        say(f"{lines} in {files}: {f'{bad:,} bad' if bad else 'all good'}.")
    if bad:
        sys.exit(_BAD)
