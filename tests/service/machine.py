"""A machine of its own: systemd as PID 1 of namespaces, with the wheel of this checkout installed.

It has the files of this system under an overlay that is kept in memory, its own processes, users
and cgroups, and a network with nothing but loopback.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.support.environments import CACHE, wheel, wheelhouse
from tests.support.processes import DEADLINE_SECONDS, poll

VENV = "/opt/flwr-telemetry"
PYTHON = f"{VENV}/bin/python"
UPLOADER = f"{VENV}/bin/telemetry-uploader"
SPOOL = f"{VENV}/bin/telemetry-spool"

_BOOT = Path(__file__).with_name("boot.sh")
_NAMESPACES = ("--mount", "--pid", "--fork", "--kill-child", "--uts", "--ipc", "--cgroup", "--net")
_PATH = f"{VENV}/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@cache
def why_no_machine() -> str | None:
    """Say why systemd cannot be booted here; None if it can."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "booting systemd takes Linux and root"
    for tool in ("unshare", "nsenter", "ip", "mount", "pivot_root", "runuser", "systemctl"):
        if shutil.which(tool) is None:
            return f"{tool} is not installed"
    if not Path("/lib/systemd/systemd").exists():
        return "systemd is not installed"
    if _cgroup2() is None:
        return "no cgroup2 is mounted"
    done = subprocess.run(
        ["unshare", *_NAMESPACES, "mount", "-t", "tmpfs", "tmpfs", "/mnt"],
        check=False,
        capture_output=True,
        text=True,
    )
    return None if done.returncode == 0 else f"namespaces are not permitted: {done.stderr.strip()}"


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Wait for something in a machine: each look at it starts processes, so not too often."""
    poll(condition, what, every=0.3)


def _cgroup2() -> Path | None:
    for line in Path("/proc/self/mounts").read_text("utf-8").splitlines():
        _, where, kind, *_ = line.split()
        if kind == "cgroup2":
            return Path(where)
    return None


@dataclass(frozen=True, slots=True)
class Done:
    """A command's exit code and what it wrote."""

    code: int
    stdout: str
    stderr: str


@dataclass(frozen=True, slots=True)
class Machine:
    """A booted machine; `init` is the process id of its systemd, seen from here."""

    init: int

    @property
    def root(self) -> Path:
        """Its file system, seen from here."""
        return Path(f"/proc/{self.init}/root")

    def argv(
        self, *argv: str, user: str = "root", environ: Mapping[str, str] | None = None
    ) -> list[str]:
        """Return the command that runs a command in there as this user."""
        variables = {"PATH": _PATH, "LANG": "C.UTF-8", **self._identity(user), **(environ or {})}
        as_user = [] if user == "root" else ["runuser", "-u", user, "--"]
        assigned = [f"{name}={value}" for name, value in variables.items()]
        return [
            *("nsenter", "-t", str(self.init), "-a"),
            *as_user,
            *("env", "--ignore-environment", "--chdir=/", *assigned),
            *argv,
        ]

    def _identity(self, user: str) -> dict[str, str]:
        lines = (self.root / "etc/passwd").read_text("utf-8").splitlines()
        (entry,) = (line.split(":") for line in lines if line.startswith(f"{user}:"))
        return {"USER": user, "HOME": entry[5], "XDG_RUNTIME_DIR": f"/run/user/{entry[2]}"}

    def attempt(
        self, *argv: str, user: str = "root", environ: Mapping[str, str] | None = None
    ) -> Done:
        """Run a command to its end, whatever that is."""
        done = subprocess.run(
            self.argv(*argv, user=user, environ=environ),
            check=False,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=DEADLINE_SECONDS,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def run(self, *argv: str, user: str = "root", environ: Mapping[str, str] | None = None) -> str:
        """Run a command and return what it wrote to stdout; fail the test if it fails."""
        done = self.attempt(*argv, user=user, environ=environ)
        assert done.code == 0, f"{argv}: {done.code}\n{done.stdout}{done.stderr}"
        return done.stdout

    def write(self, path: str, text: str) -> None:
        """Write a file in there; what is missing of the way to it is made."""
        self.run("mkdir", "-p", str(Path(path).parent))
        (self.root / path.lstrip("/")).write_text(text, "utf-8")

    def names(self, directory: str) -> list[str]:
        """Return the names in a directory, sorted; none if it is not there."""
        path = self.root / directory.lstrip("/")
        return sorted(entry.name for entry in path.iterdir()) if path.is_dir() else []

    def ask_unit(self, unit: str, attribute: str, *, user: str = "root") -> str:
        """Return what systemd knows of a unit."""
        scope = "--system" if user == "root" else "--user"
        argv = ("systemctl", scope, "show", f"--property={attribute}", "--value", unit)
        return self.run(*argv, user=user).strip()

    def record(self, event_type: str, *, user: str) -> None:
        """Record an event as a process of this user."""
        code = "import sys, telemetry_spool; telemetry_spool.event(sys.argv[1])"
        self.run(PYTHON, "-c", code, event_type, user=user)

    def add_user(self, name: str) -> None:
        """Make an unprivileged user with a home."""
        self.run("useradd", "--create-home", name)

    def start_manager(self, user: str) -> None:
        """Start the `systemd --user` of a user."""
        uid = self.run("id", "-u", user).strip()
        self.run("systemctl", "start", f"user@{uid}.service")


@contextmanager
def booted(directory: Path) -> Iterator[Machine]:
    """Boot a machine with the package in `VENV`; outside of it `directory` stays empty."""
    hierarchy = _cgroup2()
    assert hierarchy is not None
    cgroup = hierarchy / f"flwr-test-{os.getpid()}"
    cgroup.mkdir()
    join = f'echo $$ >"{cgroup}/cgroup.procs" && exec "$@"'
    boot = ["sh", str(_BOOT), str(directory), str(_wheels(directory)), sys.base_prefix]
    with (directory.parent / "boot.log").open("w+") as log:
        process = subprocess.Popen(
            ["sh", "-c", join, "sh", "unshare", *_NAMESPACES, *boot],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        try:
            machine = Machine(_init_of(process, log.name))
            _install(machine)
            yield machine
        finally:
            process.kill()  # and, by --kill-child, everything in there
            process.wait()
            poll(lambda: _removed(cgroup), "the machine's processes end")


def _wheels(directory: Path) -> Path:
    """Return a directory with our wheel beside those that it needs."""
    together = directory.parent / "wheels"
    together.mkdir()
    for path in [wheel(), *wheelhouse().glob("*.whl")]:
        shutil.copy2(path, together)
    return together


def _init_of(process: subprocess.Popen[bytes], log: str) -> int:
    """Wait for the machine's systemd to be up and return its process id."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")

    def is_up() -> bool:
        assert process.poll() is None, Path(log).read_text("utf-8")
        pids = children.read_text("utf-8").split()
        if not pids or Path(f"/proc/{pids[0]}/comm").read_text("utf-8") != "systemd\n":
            return False
        state = Machine(int(pids[0])).attempt("systemctl", "is-system-running", "--wait")
        return state.stdout.strip() in ("running", "degraded")

    wait_until(is_up, "systemd is up")
    return int(children.read_text("utf-8").split()[0])


def _install(machine: Machine) -> None:
    """Install our wheel and what it needs from the wheels at hand, as an administrator would.

    What pip has made takes seconds; it is kept for the other machines with the same wheels.
    """
    inside = machine.root / VENV.lstrip("/")
    kept = CACHE / "machines" / f"made-{_name_of(machine.root / 'opt/wheels')}"
    if kept.exists():
        shutil.copytree(kept, inside, symlinks=True)
        return
    _run_pip(machine)
    kept.parent.mkdir(parents=True, exist_ok=True)
    for old in kept.parent.glob("made-*"):
        if old != kept:  # another process may be making or using the same one
            shutil.rmtree(old, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=kept.parent, ignore_cleanup_errors=True) as temporary:
        copy = shutil.copytree(inside, Path(temporary) / kept.name, symlinks=True)
        with suppress(OSError):  # another process was faster
            copy.rename(kept)


def _name_of(wheels: Path) -> str:
    digest = hashlib.sha256(sys.version.encode())
    for path in sorted(wheels.iterdir()):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _run_pip(machine: Machine) -> None:
    prefix = "/usr" if sys.base_prefix == "/usr" else "/opt/python"
    python = f"{prefix}/bin/python{sys.version_info.major}.{sys.version_info.minor}"
    (pip,) = (machine.root / "opt/wheels").glob("pip-*.whl")
    (ours,) = (machine.root / "opt/wheels").glob("flwr_telemetry_spool-*.whl")
    machine.run(python, "-m", "venv", "--without-pip", VENV)
    machine.run(
        *(PYTHON, f"/opt/wheels/{pip.name}/pip", "install", "--quiet"),
        *("--no-index", "--find-links", "/opt/wheels", f"/opt/wheels/{ours.name}"),
    )


def _removed(cgroup: Path) -> bool:
    """Remove a cgroup and those below; False if there are processes yet."""
    with suppress(OSError):
        for path in sorted(cgroup.rglob("*"), reverse=True):
            if path.is_dir():
                path.rmdir()
        cgroup.rmdir()
    return not cgroup.exists()
