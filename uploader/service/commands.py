"""The subcommands `install` and `uninstall`."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from telemetry_spool.consent import Consent, ConsentReader, Mode
from telemetry_spool.settings import environment
from uploader.commands.console import Json
from uploader.complaints import complain, fail
from uploader.service.apply import CommandFailed, NotOurs, apply
from uploader.service.manager import Manager, manager, service_config
from uploader.service.obstacle import Obstacle
from uploader.service.steps import Step, as_json
from uploader.settings import ALL_SETTINGS

System = Annotated[
    bool,
    typer.Option("--system/--user", help="For all users of this machine, or for you alone."),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Show every file and command, and do nothing.")
]


def install(
    system: System = False,
    on_demand: Annotated[
        bool,
        typer.Option("--on-demand", help="Run only while there is something to send."),
    ] = False,
    dry_run: DryRun = False,
    self_test: Annotated[
        bool,
        typer.Option("--self-test", help="Send one event to a collector of its own, too."),
    ] = False,
    as_json_: Json = False,
) -> None:
    """Install this uploader as a service (systemd or launchd), start it, and see that it runs.

    Exit codes: 0 it runs, 69 there is no service manager or it does not run, 70 the self-test
    failed, 73 a file that is not ours is in the way, 77 --system takes root, 78 a setting is wrong.

    Example: telemetry-uploader install --dry-run
    """
    try:
        loaded = service_config(system=system)
        chosen = manager(loaded, system=system, on_demand=on_demand)
        if dry_run:
            _show(chosen.install_steps(), as_json_)
            return
        chosen.find()
        steps = list(chosen.install_steps())
        _carry_out(steps, chosen)
        consent = ConsentReader(loaded.mode_file).now()
        chosen.check_running(beats=consent.mode is Mode.ON)
        if self_test:
            chosen.self_test()
    except Obstacle as error:
        fail(str(error), error.code)
    hints = [*_unheard_settings(), *_silence(consent), *chosen.hints()]
    if as_json_:
        _print_json(steps, running=chosen.names, self_test=self_test, hints=hints)
        return
    typer.echo(f"running: {', '.join(chosen.names)}")
    if self_test:
        typer.echo("self-test: an event was spooled, sent to a collector here, and deleted")
    for hint in hints:
        complain(hint)


def uninstall(system: System = False, dry_run: DryRun = False, as_json_: Json = False) -> None:
    """Stop the service and take it away; the spool and what was received stay, and are named.

    Exit codes: 0 it is gone, 69 there is no service manager, 77 --system takes root.

    Example: telemetry-uploader uninstall --dry-run
    """
    try:
        chosen = manager(service_config(system=system), system=system, on_demand=False)
        if dry_run:
            _show(chosen.uninstall_steps(), as_json_)
            return
        chosen.find()
        steps = list(chosen.uninstall_steps())
        not_ours = _carry_out(steps, chosen)
    except Obstacle as error:
        fail(str(error), error.code)
    left = chosen.left_behind()
    if as_json_:
        _print_json(steps, left=left, not_ours=[str(path) for path in not_ours])
        return
    for path in not_ours:
        complain(f"{path} is not from this package and stays")
    typer.echo("\n".join(f"left: {path}" for path in left) or "nothing is left")


def _carry_out(steps: Sequence[Step], chosen: Manager) -> list[Path]:
    try:
        return apply(steps)
    except NotOurs as error:
        raise Obstacle(str(error), os.EX_CANTCREAT) from error
    except CommandFailed as error:
        starting = error.step == steps[-1]  # where the service itself can say more
        why = chosen.why_not_running() if starting else str(error)
        raise Obstacle(why, os.EX_UNAVAILABLE) from error


def _unheard_settings() -> list[str]:
    """Say which settings of this process's environment the service does not get."""
    here = environment(ALL_SETTINGS).values
    return [
        f"{setting.variable} is set here, but the service does not see it: put {setting.name} into "
        "config.toml"
        for setting in ALL_SETTINGS
        if setting.name in here
    ]


def _silence(consent: Consent) -> list[str]:
    if consent.mode is Mode.ON:
        return []
    return [f"it sends nothing: mode {consent.mode.value}, {consent.rule}"]


def _show(steps: Iterable[Step], as_json_: bool) -> None:
    if as_json_:
        _print_json(list(steps))
    else:
        typer.echo("\n".join(map(str, steps)) or "there is nothing to do")


def _print_json(steps: Iterable[Step], **more: object) -> None:
    json.dump({"steps": [as_json(step) for step in steps], **more}, sys.stdout, indent=2)
    sys.stdout.write("\n")
