"""A service under systemd."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from uploader.config import UploaderConfig
from uploader.service import systemd, systemd_state
from uploader.service.installation import doubts
from uploader.service.obstacle import Obstacle
from uploader.service.selftest import self_test
from uploader.service.steps import Step
from uploader.service.systemd import RESIDENT, SELF_TEST, USER_NAME, Scope, Service


@dataclass(frozen=True, slots=True)
class SystemdManager:
    """The manager of the system, or of a user; `config` is what the service will work with."""

    service: Service
    config: UploaderConfig

    @property
    def names(self) -> tuple[str, ...]:
        """What is active once it is installed."""
        return self.service.enabled

    def find(self) -> None:
        """See that the manager can be asked. Raises Obstacle."""
        systemd_state.find_manager(self._scope)

    def install_steps(self) -> Iterator[Step]:
        """Yield what installing takes. Raises Obstacle if it cannot work."""
        hidden = self.service.installation.in_temporary
        if self._scope is Scope.SYSTEM and hidden:
            raise Obstacle(
                f"{hidden[0]} is in a directory of temporary files, which the service does not "
                "see: install into /opt (python3 -m venv /opt/flwr-telemetry)",
                os.EX_CONFIG,
            )
        if self._scope is Scope.USER and self.config.directories.spool == self._places.drop_box:
            raise Obstacle(
                f"events go to the drop box {self._places.drop_box} here, and the system's service "
                "sends them: there is nothing to install",
                os.EX_CONFIG,
            )
        return systemd.install_steps(self.service, self._present)

    def uninstall_steps(self) -> Iterator[Step]:
        """Yield what taking it away takes."""
        return systemd.uninstall_steps(self.service, self._present)

    def check_running(self, *, beats: bool) -> None:
        """Wait until it runs; `beats` says that it will write heartbeats. Raises Obstacle."""
        for unit in self.names:
            if not systemd_state.becomes_active(self._scope, unit):
                raise Obstacle(self.why_not_running(), os.EX_UNAVAILABLE)
        status = self.config.directories.status
        if beats and RESIDENT in self.names and not systemd_state.beats(self._scope, status):
            see = systemd_state.journal(self._scope, RESIDENT)
            raise Obstacle(
                f"{RESIDENT} runs, but its heartbeat is not in {status}; see: {see}",
                os.EX_UNAVAILABLE,
            )

    def why_not_running(self) -> str:
        """Say what does not run, and the last thing that it said."""
        unit = self.service.units[0]
        words = systemd_state.last_words(self._scope, unit)
        see = systemd_state.journal(self._scope, unit)
        return f"{unit} does not run{words and ': '}{words}; see: {see}"

    def self_test(self) -> None:
        """Send an event to a collector here. Raises Obstacle if it does not arrive."""
        self_test(
            lambda endpoint: systemd.self_test_steps(self.service, endpoint),
            systemd.self_test_ending(self.service),
            lambda: systemd_state.last_words(self._scope, SELF_TEST),
        )

    def hints(self) -> list[str]:
        """Return what a person should know of an installed service."""
        if self._scope is Scope.SYSTEM:
            return doubts(self.service.installation)
        hint = systemd_state.logout_hint()
        return [hint] if hint else []

    def left_behind(self) -> list[str]:
        """Return what stays after uninstalling."""
        directories = self.config.directories
        if self._scope is Scope.USER:
            apart = not directories.spool.is_relative_to(directories.root)
            return _existing(directories.root, *([directories.spool] if apart else []))
        left = _existing(self._places.closed_drop_box, self._places.drop_box, directories.root)
        return [*left, f"the user {USER_NAME}, to whom they belong"] if left else []

    @property
    def _scope(self) -> Scope:
        return self.service.scope

    @property
    def _present(self) -> frozenset[Path]:
        return systemd_state.present(systemd.concerned(self.service))

    @property
    def _places(self) -> systemd.Places:
        return self.service.places


def _existing(*paths: Path) -> list[str]:
    return [str(path) for path in paths if path.exists()]
