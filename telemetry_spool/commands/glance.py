"""See at a glance: `status`."""

from __future__ import annotations

import json
import os

from telemetry_spool.commands.console import Json, say
from telemetry_spool.diagnosis import hook
from telemetry_spool.environments import this_environment
from telemetry_spool.overview import as_json, as_text, overview
from telemetry_spool.writer_settings import writer_config


def status(as_json_: Json = False) -> None:
    """Show the mode and the rule that decided it, the spool, the backlog, the uploader, and Flower.

    Example: telemetry-spool status --json | jq .pending.events
    """
    config = writer_config()
    state = overview(config.directories, config.mode_file, config.problems)
    found = this_environment()
    if as_json_:
        flower = {"found": found.flower, "hooked": found.hooked, "misfits": found.misfits}
        say(json.dumps(as_json(state) | {"flower": flower}, indent=2))
        return
    say(as_text(state).rstrip("\n"))
    check = hook(found, os.environ, state.consent.mode)
    say(f"{'flower':<10} {check.finding}{'' if check.ok else '; ' + check.remedy}")
