"""The service of this machine or of this user, under whichever manager this system has."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from telemetry_spool import paths
from uploader import config
from uploader.config import UploaderConfig
from uploader.service.installation import this_installation
from uploader.service.launchd import Job
from uploader.service.launchd_manager import LaunchdManager
from uploader.service.steps import Step
from uploader.service.systemd import Scope, Service, Spooled
from uploader.service.systemd_manager import SystemdManager
from uploader.service.systemd_state import places


class Manager(Protocol):
    """One service under one service manager."""

    @property
    def names(self) -> tuple[str, ...]:
        """What is active once it is installed."""

    def find(self) -> None:
        """See that the manager can be asked. Raises Obstacle."""

    def install_steps(self) -> Iterator[Step]:
        """Yield what installing takes. Raises Obstacle if it cannot work."""

    def uninstall_steps(self) -> Iterator[Step]:
        """Yield what taking it away takes."""

    def check_running(self, *, beats: bool) -> None:
        """Wait until it runs; `beats` says that it will write heartbeats. Raises Obstacle."""

    def why_not_running(self) -> str:
        """Say what does not run, and why, as far as is known."""

    def self_test(self) -> None:
        """Send an event to a collector here. Raises Obstacle if it does not arrive."""

    def hints(self) -> list[str]:
        """Return what a person should know of an installed service."""

    def left_behind(self) -> list[str]:
        """Return what stays after uninstalling."""


def service_config(*, system: bool) -> UploaderConfig:
    """Return what the service will work with: it does not have this process's environment.

    Raises SettingError.
    """
    if not system:
        return config.load({}, {})
    loaded = config.load({"dir": paths.SERVICE_ROOT, "spool_dir": paths.DROP_BOX}, {})
    return replace(loaded, mode_file=None)  # nobody chooses for its user: each user's choice counts


def manager(loaded: UploaderConfig, *, system: bool, on_demand: bool) -> Manager:
    """Return the service manager for a service with this configuration."""
    directories, installation = loaded.directories, this_installation()
    if sys.platform == "darwin":
        library = Path("/Library") if system else Path.home() / "Library"
        jobs = library / ("LaunchDaemons" if system else "LaunchAgents")
        logs = directories.root if system else library / "Logs"  # of which a daemon has none
        return LaunchdManager(
            Job(system, on_demand, installation, directories, os.geteuid(), jobs, logs)
        )
    scope = Scope.SYSTEM if system else Scope.USER
    active = paths.active_name(paths.host_name(), os.geteuid(), local=False)
    spooled = Spooled(directories.spool, directories.spool / active)
    service = Service(scope, on_demand, installation, places(scope), spooled)
    return SystemdManager(service, loaded)
