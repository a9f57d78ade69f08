"""Where the demo plays: a directory and an environment of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from demo.processes import (
    DemoFailed,
    Process,
    end_trees,
    ignore_signals,
    interrupt_on_signals,
)
from demo.screen import checked, command, output

# A command that shows the spool takes well under a second; a busy machine may need more.
_COMMAND_SECONDS = 60.0

# Nothing else of the caller's environment is passed on: no consent, proxy, Ray or Python setting.
_KEPT = ("PATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "LC_CTYPE")

_SCRIPTS = Path(sys.executable).parent


def isolated_environment(directory: Path) -> dict[str, str]:
    """Return an environment in which everything that is written goes below `directory`."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    home, telemetry = directory / "home", directory / "telemetry"
    directories = {
        "HOME": home,
        "TMPDIR": directory,
        "FLWR_HOME": home / ".flwr",
        "FLWR_TELEMETRY_DIR": telemetry,
        "FLWR_TELEMETRY_SPOOL_DIR": telemetry / "spool",
        "XDG_CACHE_HOME": home / ".cache",
        "XDG_CONFIG_DIRS": directory / "site",
        "XDG_CONFIG_HOME": home / ".config",
        "XDG_DATA_HOME": home / ".local" / "share",
        "XDG_RUNTIME_DIR": directory / "runtime",
        "XDG_STATE_HOME": home / ".local" / "state",
    }
    return {
        **kept,
        **{name: str(path) for name, path in directories.items()},
        "PATH": os.pathsep.join([str(_SCRIPTS), kept.get("PATH", os.defpath)]),
        "RAY_USAGE_STATS_ENABLED": "0",
    }


class Stage:
    """Runs commands in the isolated environment, and ends all of them on the way out."""

    def __init__(self, directory: Path) -> None:
        """Play in `directory`, which exists."""
        self.directory = directory
        self.root = directory / "telemetry"
        self.spool = self.root / "spool"
        self._environment = isolated_environment(directory)
        self._processes: list[Process] = []
        for name in ("home", "runtime", "logs"):
            (directory / name).mkdir(mode=0o700)

    def __enter__(self) -> Stage:
        interrupt_on_signals()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        ignore_signals()
        end_trees(self._processes)

    def start(self, name: str, arguments: Sequence[str]) -> Process:
        """Start a process beside this one; Ctrl-C on the terminal does not reach it."""
        stdout, stderr = (self.directory / "logs" / f"{name}.{end}" for end in ("out", "err"))
        with stdout.open("wb") as out, stderr.open("ab") as err:
            popen = subprocess.Popen(  # noqa: S603 - the demo's own commands
                arguments,
                cwd=self.directory,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
        process = Process(name, popen, stdout, stderr)
        self._processes.append(process)
        return process

    def attempt(self, arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, which may be a failure. Raises DemoFailed if it has none."""
        try:
            return subprocess.run(  # noqa: S603 - the demo's own commands
                arguments,
                cwd=self.directory,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=_COMMAND_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise DemoFailed(str(error)) from error

    def run(self, arguments: Sequence[str]) -> str:
        """Run a command to its end and return its stdout. Raises DemoFailed if it fails."""
        done = self.attempt(arguments)
        if done.returncode != 0:
            words = (done.stderr.strip() or "it printed no error").splitlines()[-1]
            raise DemoFailed(f"{' '.join(arguments)} ended with {done.returncode}: {words}")
        return done.stdout

    def start_shown(self, name: str, line: str) -> Process:
        """Start one of the package's commands, and show it as a person would type it."""
        command(f"{line} &")
        return self.start(name, _installed(line))

    def run_shown(self, line: str) -> None:
        """Run one of the package's commands, and show it with its output."""
        command(line)
        output(self.run(_installed(line)))


def stop_shown(process: Process) -> None:
    """Stop a process as an init system does, and show that."""
    command(f"kill -TERM {process.popen.pid}")
    process.stop()
    checked(f"the {process.name} ended with exit code 0")


def _installed(line: str) -> list[str]:
    """Return the words of a command line, with the console script of this very environment."""
    name, *arguments = line.split()
    return [str(_SCRIPTS / name), *arguments]
