"""What installing under launchd takes: a function of values, which touches nothing."""

from __future__ import annotations

import plistlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from telemetry_spool.paths import Directories
from uploader.service.installation import Installation
from uploader.service.shipped import MARK, shipped
from uploader.service.steps import Remove, Rename, Run, Step, Write

LABEL = "org.flwr-telemetry.uploader"
USER_NAME = "_flwr-telemetry"
"""The daemon's user and group; macOS wants an underscore in front."""
_ANYONE_MAY_ADD = "3733"


@dataclass(frozen=True, slots=True)
class Job:
    """Which job: the system's (a daemon) or a user's (an agent), and where its files go."""

    system: bool
    on_demand: bool
    installation: Installation
    directories: Directories
    uid: int
    jobs: Path
    logs: Path

    @property
    def domain(self) -> str:
        """Return launchd's name for whose job it is."""
        return "system" if self.system else f"gui/{self.uid}"

    @property
    def plist(self) -> Path:
        """Return the path of its property list."""
        return self.jobs / f"{LABEL}.plist"

    @property
    def log(self) -> Path:
        """Return the path of what it writes."""
        return self.logs / "flwr-telemetry-uploader.log"

    @property
    def closed_drop_box(self) -> Path:
        """Return the drop box's name while there is no service."""
        return self.directories.spool.with_name(f"{self.directories.spool.name}.closed")


def install_steps(job: Job) -> Iterator[Step]:
    """Yield what to do, in order."""
    if job.system:
        spool = job.directories.spool
        owner = ("-o", USER_NAME, "-g", USER_NAME)
        yield Rename(job.closed_drop_box, spool)
        yield Run(("install", "-d", "-m", _ANYONE_MAY_ADD, *owner, str(spool)))
        yield Run(("install", "-d", "-m", "0755", *owner, str(job.directories.root)))
    yield Write(job.plist, property_list(job))
    yield Run(("launchctl", "bootout", f"{job.domain}/{LABEL}"), tolerated=True)
    yield Run(("launchctl", "enable", f"{job.domain}/{LABEL}"))
    yield Run(("launchctl", "bootstrap", job.domain, str(job.plist)))


def uninstall_steps(job: Job) -> Iterator[Step]:
    """Yield what to do, in order. The drop box gets another name, so that nobody adds to it."""
    yield Run(("launchctl", "bootout", f"{job.domain}/{LABEL}"), tolerated=True)
    yield Remove(job.plist)
    if job.system:
        yield Rename(job.directories.spool, job.closed_drop_box)


def property_list(job: Job) -> str:
    """Return the property list as shipped, with what only this installation knows."""
    kind = f"{'daemon' if job.system else 'agent'}{'-on-demand' if job.on_demand else ''}"
    content: dict[str, Any] = plistlib.loads(shipped("launchd", f"{kind}.plist").encode())
    _, *arguments = content["ProgramArguments"]
    content["ProgramArguments"] = [*job.installation.command("uploader.cli", *arguments)]
    content["StandardErrorPath"] = str(job.log)
    if "WatchPaths" in content:
        content["WatchPaths"] = [str(job.directories.spool)]
    if job.system:
        content["EnvironmentVariables"] = {
            "FLWR_TELEMETRY_DIR": str(job.directories.root),
            "FLWR_TELEMETRY_SPOOL_DIR": str(job.directories.spool),
        }
    text = plistlib.dumps(content, sort_keys=False).decode()
    return text.replace("<plist ", f"<!-- {MARK}: installing again replaces it. -->\n<plist ", 1)
