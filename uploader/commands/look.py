"""Look at what is there: `status` and `check`."""

from __future__ import annotations

import json
import os
from typing import Any

import typer

from telemetry_spool.consent import ConsentReader
from telemetry_spool.overview import as_json, as_text, attended, overview
from uploader import config
from uploader.addresses import without_login
from uploader.commands.console import Flags, Json
from uploader.options import shown, with_settings


@with_settings
def status(flags: Flags, as_json_: Json = False) -> None:
    """Show what is waiting and what the uploader is doing.

    Exit codes: 0 the uploader runs (or is on another host, or is started now and then and was so
    within two hours, or has nothing to send), 1 it does not.

    Example: telemetry-uploader status --json | jq .pending.events
    """
    loaded = config.load(flags)
    state = overview(loaded.directories, loaded.mode_file)
    typer.echo(json.dumps(as_json(state), indent=2) if as_json_ else as_text(state), nl=as_json_)
    if not attended(state):
        raise typer.Exit(1)


@with_settings
def check(flags: Flags, as_json_: Json = False) -> None:
    """Check the settings, and show each with the place it comes from. Opens no connection.

    Exit codes: 0 they are fine, 78 one is wrong.

    Example: FLWR_TELEMETRY_CONCURRENCY=8 telemetry-uploader check
    """
    resolved = config.resolve(flags, os.environ)
    loaded = config.build(resolved)
    consent = ConsentReader(loaded.mode_file).now()
    effective: dict[str, Any] = {
        name: {"value": setting.value, "origin": setting.origin}
        for name, setting in resolved.items()
    }
    effective["proxy"]["value"] = loaded.proxy and without_login(loaded.proxy)
    effective["authorization"]["value"] = loaded.authorization and "…"
    effective["ca_bundle"]["value"] = loaded.ca_bundle and str(loaded.ca_bundle)
    effective["dir"]["value"] = str(loaded.directories.root)
    effective["spool_dir"]["value"] = str(loaded.directories.spool)
    if as_json_:
        mode = {"value": consent.mode.value, "origin": consent.rule}
        typer.echo(json.dumps({"settings": effective, "mode": mode}, indent=2))
        return
    for name, entry in effective.items():
        typer.echo(f"{name:<18} {shown(entry['value']):<45} {entry['origin']}")
    typer.echo(f"{'mode':<18} {consent.mode.value:<45} {consent.rule}")
