"""A home directory of its own, with one environment in which Flower runs."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.conftest import Place
from tests.support.endpoint import Endpoint
from tests.support.environments import Environment

PROGRAMS = Path(__file__).parent / "programs"

# Far above what any run here takes, below a person's patience.
RUN_SECONDS = 120.0

# Nothing listens on the discard port: what would leave the machine by HTTP ends there at once.
# Flower alone would reach for its endpoint, Ray for the metadata service of a cloud.
_NOWHERE = "http://127.0.0.1:9"

_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True)
class Finished:
    """How a command ended."""

    exit_code: int
    stdout: str
    stderr: str


@dataclass(frozen=True, slots=True)
class Running:
    """A command that was started.

    It writes to files in `said`: children that it leaves behind would hold a pipe open.
    """

    process: subprocess.Popen[bytes]
    said: Path

    def finish(self) -> Finished:
        """Wait for it to end by itself; end it and fail if it hangs."""
        try:
            exit_code = self.process.wait(RUN_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        stdout, stderr = (
            (self.said / name).read_text("utf-8", "replace") for name in ("stdout", "stderr")
        )
        return Finished(exit_code, stdout, stderr)

    def succeed(self) -> Finished:
        """Wait for it, and fail with what it said unless it exits with 0."""
        finished = self.finish()
        assert finished.exit_code == 0, finished.stdout[-2000:] + finished.stderr[-4000:]
        return finished


class Home:
    """Nothing that runs in it shows outside it, and nothing outside shows in it."""

    def __init__(self, directory: Path, environment: Environment) -> None:
        """Use this empty directory and this environment."""
        self.directory = directory
        self.environment = environment
        self.place = Place(directory / "telemetry")
        # Ray makes Unix sockets below it, whose paths may have 107 bytes.
        self._scratch = tempfile.mkdtemp(prefix="flower-", dir="/tmp")

    def environ(self, **variables: str) -> dict[str, str]:
        """Return all the environment variables of a process in this home."""
        home = self.directory / "home"
        home.mkdir(exist_ok=True)
        return {
            "PATH": f"{self.environment.bin}:{_SYSTEM_PATH}",
            "LANG": "C.UTF-8",
            "HOME": str(home),
            "FLWR_HOME": str(home / ".flwr"),
            "XDG_CONFIG_HOME": str(home / ".config"),
            "XDG_STATE_HOME": str(home / ".local" / "state"),
            "XDG_CACHE_HOME": str(home / ".cache"),
            "XDG_CONFIG_DIRS": str(home / "etc" / "xdg"),
            "FLWR_TELEMETRY_DIR": str(self.place.root),
            "FLWR_DISABLE_UPDATE_CHECK": "1",
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_TMPDIR": self._scratch,
            # flwr-datasets loads it, and it looks at every font where it finds no list of them.
            "MPLCONFIGDIR": str(self.environment.root / "matplotlib"),
            "http_proxy": _NOWHERE,
            "https_proxy": _NOWHERE,
            "no_proxy": "127.0.0.1,localhost",
            **variables,
        }

    def start(
        self,
        *command: str | Path,
        prefix: tuple[str, ...] = (),
        variables: Mapping[str, str] | None = None,
    ) -> Running:
        """Start a command of the environment or of the system; `prefix` is put before it."""
        said = Path(tempfile.mkdtemp(prefix="said-", dir=self._scratch))
        with (said / "stdout").open("wb") as stdout, (said / "stderr").open("wb") as stderr:
            process = subprocess.Popen(
                [*prefix, *command],
                cwd=self.directory,
                env=self.environ(**(variables or {})),
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
            )
        return Running(process, said)

    def start_program(
        self,
        name: str,
        *arguments: str,
        prefix: tuple[str, ...] = (),
        variables: Mapping[str, str] | None = None,
    ) -> Running:
        """Start one of the programs beside these tests with the environment's interpreter."""
        program: tuple[str | Path, ...] = (self.environment.python, PROGRAMS / name, *arguments)
        return self.start(*program, prefix=prefix, variables=variables)

    def upload(self, endpoint: Endpoint) -> Finished:
        """Deliver what is in the spool, with the environment's `telemetry-uploader`."""
        root = str(self.place.root)
        command = ("telemetry-uploader", "once", "--endpoint", endpoint.url, "--dir", root)
        return self.start(*command).finish()

    def spooled(self) -> Counter[str]:
        """Return how many events of each type are in the spool."""
        return Counter(event["event_type"] for event in self.place.events())

    def origins(self) -> list[str]:
        """Return what the events say about where they come from, sorted."""
        details = [event["event_details"] for event in self.place.events()]
        return sorted(detail["from"] for detail in details if "from" in detail)

    def wait_for(self, wanted: Mapping[str, int]) -> Counter[str]:
        """Wait until at least these events are in the spool; return all that are."""
        deadline = time.monotonic() + RUN_SECONDS
        while not Counter(wanted) <= (spooled := self.spooled()):
            assert time.monotonic() < deadline, f"of {dict(wanted)}, the spool has {dict(spooled)}"
            time.sleep(0.05)
        return spooled

    def end(self) -> None:
        """End what still runs in this home, and forget what it and Ray left."""
        left = [process for process in psutil.process_iter() if self._is_inside(process)]
        for process in left:
            process.kill()
        psutil.wait_procs(left, timeout=RUN_SECONDS)
        shutil.rmtree(self._scratch, ignore_errors=True)

    def _is_inside(self, process: psutil.Process) -> bool:
        try:
            return Path(process.cwd()).is_relative_to(self.directory)
        except psutil.Error:
            return False


def note(measured: str) -> None:
    """Show a figure to who runs pytest with `-s` or `-rP`; it decides nothing."""
    sys.stdout.write(f"\n{measured}\n")
