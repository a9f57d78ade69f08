"""This very installation: the interpreter to start, and what of it a sandbox would hide."""

from __future__ import annotations

import stat
import sys
from dataclasses import dataclass
from pathlib import Path

_HOMES = (Path("/home"), Path("/root"), Path("/run/user"))
_TEMPORARY = (Path("/tmp"), Path("/var/tmp"))  # noqa: S108 - only compared with


@dataclass(frozen=True, slots=True)
class Installation:
    """An interpreter and the directories that it needs to run our code."""

    python: Path
    directories: tuple[Path, ...]

    def command(self, module: str, *arguments: str) -> tuple[str, ...]:
        """Return the command that runs a module of ours, whatever directory it is started in."""
        return (str(self.python), "-P", "-m", module, *arguments)

    @property
    def in_homes(self) -> tuple[Path, ...]:
        """Return its directories that a service does not see unless they are shown to it."""
        return tuple(path for path in self.directories if _is_below(path, _HOMES))

    @property
    def in_temporary(self) -> tuple[Path, ...]:
        """Return its directories that a service has its own of."""
        return tuple(path for path in self.directories if _is_below(path, _TEMPORARY))


def this_installation() -> Installation:
    """Return the installation that is running: a virtual environment, pipx's, or the system's."""
    code = Path(__file__).parents[2]
    found = [Path(sys.prefix), Path(sys.base_prefix)]
    if not any(code.is_relative_to(path) for path in found):
        found.append(code)  # an editable install, or one of a user's own
    directories = dict.fromkeys(path for each in found for path in (each, each.resolve()))
    return Installation(Path(sys.executable), tuple(directories))


def doubts(installation: Installation) -> list[str]:
    """Say what speaks against running a service of the system's from an installation."""
    found = []
    for path in installation.directories:
        owner = path.stat().st_uid
        if owner != 0:
            found.append(
                f"{path} belongs to user {owner}, who can change what the service does: better "
                "install into /opt (python3 -m venv /opt/flwr-telemetry)"
            )
        closed = _closed(path)
        if closed is not None:
            found.append(f"only its owner may enter {closed}: the service cannot (chmod o+x)")
    return found


def _closed(path: Path) -> Path | None:
    """Return the directory on the way to `path` that others cannot enter; None if they can."""
    if _is_below(path, _HOMES):
        return None  # it is shown to the service at the same place, without the way to it
    for directory in (*reversed(path.parents), path):
        if not directory.stat().st_mode & stat.S_IXOTH:
            return directory
    return None


def _is_below(path: Path, parents: tuple[Path, ...]) -> bool:
    return any(path.is_relative_to(parent) for parent in parents)
