"""A service under launchd."""

from __future__ import annotations

import os
import pwd
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass

from uploader.service import launchd
from uploader.service.launchd import LABEL, USER_NAME, Job
from uploader.service.obstacle import Obstacle
from uploader.service.selftest import self_test
from uploader.service.steps import Run, Step


@dataclass(frozen=True, slots=True)
class LaunchdManager:
    """The launchd of the system, or of a user who is logged in."""

    job: Job

    @property
    def names(self) -> tuple[str, ...]:
        """What is known to launchd once it is installed."""
        return (LABEL,)

    def find(self) -> None:
        """See that launchd may be asked. Raises Obstacle."""
        if self.job.system and os.geteuid() != 0:
            raise Obstacle("--system takes root: use sudo", os.EX_NOPERM)

    def install_steps(self) -> Iterator[Step]:
        """Yield what installing takes. Raises Obstacle if it cannot work."""
        if self.job.system:
            try:
                pwd.getpwnam(USER_NAME)
            except KeyError:
                raise Obstacle(
                    f"there is no user {USER_NAME} to own the drop box: make one, with a group of "
                    "that name (docs/service.md shows how)",
                    os.EX_NOUSER,
                ) from None
        return launchd.install_steps(self.job)

    def uninstall_steps(self) -> Iterator[Step]:
        """Yield what taking it away takes."""
        return launchd.uninstall_steps(self.job)

    def check_running(self, *, beats: bool) -> None:  # noqa: ARG002 - launchd tells enough
        """See that launchd has the job. Raises Obstacle if it does not."""
        asked = ["launchctl", "print", f"{self.job.domain}/{LABEL}"]
        done = subprocess.run(asked, check=False, capture_output=True)  # noqa: S603 - our label
        if done.returncode != 0:
            raise Obstacle(self.why_not_running(), os.EX_UNAVAILABLE)

    def why_not_running(self) -> str:
        """Say where to look."""
        return f"launchd has no {LABEL}; see: launchctl print {self.job.domain}, {self.job.log}"

    def self_test(self) -> None:
        """Send an event to a collector here. Raises Obstacle if it does not arrive.

        launchd has no sandbox of ours to prove: the interpreter runs from here.
        """
        with tempfile.TemporaryDirectory() as directory:
            self_test(
                lambda endpoint: [
                    Run(
                        self.job.installation.command("uploader.service.probe", endpoint, directory)
                    )
                ],
                (),
                lambda: "",
            )

    def hints(self) -> list[str]:
        """Return what a person should know of an installed service."""
        return []

    def left_behind(self) -> list[str]:
        """Return what stays after uninstalling."""
        directories = self.job.directories
        paths = (directories.root, directories.spool, self.job.closed_drop_box, self.job.log)
        return [str(path) for path in paths if path.exists()]
