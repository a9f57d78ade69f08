"""Services as values, for tests of what installing them takes."""

from __future__ import annotations

from pathlib import Path

from uploader.service.installation import Installation
from uploader.service.steps import Run, Step, Write
from uploader.service.systemd import Places, Scope, Service, Spooled

OPT = Installation(Path("/opt/uploader/bin/python"), (Path("/opt/uploader"), Path("/usr")))


def a_service(
    *,
    scope: Scope = Scope.SYSTEM,
    on_demand: bool = False,
    installation: Installation = OPT,
    spool: Path = Path("/home/alice/.local/state/flwr-telemetry/spool"),
) -> Service:
    """Return a service whose files would go below /units."""
    places = Places(Path("/units"), Path("/runtime-units"), Path("/run/user/1000"))
    spooled = Spooled(spool, spool / "host.1000.active.jsonl")
    return Service(scope, on_demand, installation, places, spooled)


def written(steps: list[Step]) -> dict[str, str]:
    """Return the content of each file that steps write, by its path."""
    return {str(step.path): step.content for step in steps if isinstance(step, Write)}


def commands(steps: list[Step]) -> list[str]:
    """Return the commands that steps run, in order."""
    return [" ".join(step.argv) for step in steps if isinstance(step, Run)]
