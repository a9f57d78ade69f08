"""Find out what is wrong: `doctor`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from telemetry_spool.commands.console import Json, prints, say
from telemetry_spool.diagnosis import Check, diagnose
from telemetry_spool.text import plain
from telemetry_spool.writer_settings import writer_config


def doctor(
    pythons: Annotated[
        list[Path] | None,
        typer.Option(
            "--python", metavar="PATH", help="Look at this interpreter's environment, too."
        ),
    ] = None,
    as_json_: Json = False,
) -> None:
    """Check all that can be checked without a network, and say what to do about what is wrong.

    telemetry-uploader doctor checks the way to the endpoint. Ends with 1 if anything is wrong.

    Examples: telemetry-spool doctor; telemetry-spool doctor --python ~/venv/bin/python
    """
    checks = list(diagnose(writer_config(), tuple(pythons or ())))
    report(checks, as_json=as_json_)


def report(checks: list[Check], *, as_json: bool) -> None:
    """Print checks; end the command with 1 if anything is wrong."""
    if as_json:
        rows = [
            {"name": one.name, "ok": one.ok, "finding": one.finding, "remedy": one.remedy}
            for one in checks
        ]
        say(json.dumps(rows, indent=2))
    else:
        good, bad, leads_to = ("✓", "✗", "→") if prints("✓✗→") else ("ok", "!!", "->")
        for one in checks:
            say(f"{good if one.ok else bad} {one.name:<10} {plain(one.finding)}")
            if one.remedy:
                say(f"{'':<{len(good)}} {'':<10} {leads_to} {plain(one.remedy)}")
    if not all(one.ok for one in checks):
        sys.exit(1)
