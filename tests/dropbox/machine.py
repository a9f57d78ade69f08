"""A machine with a drop box: mounts of its own, users of its own, and the service of the box.

Nothing of it is on the host: the directories where the drop box and the root of the service are by
default lie on a small disk in a mount namespace. Processes enter it as the users that they are.
"""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from telemetry_spool import paths
from tests.support.endpoint import Endpoint
from tests.support.heartbeats import heartbeat
from tests.support.processes import (
    SPOOL,
    UPLOADER,
    Ended,
    Running,
    command,
    environment,
    poll,
    running,
)

SERVICE, ALICE, BOB, MALLORY = 60001, 60002, 60003, 60004

BOX = paths.DROP_BOX
ROOT = paths.SERVICE_ROOT
_DISK = BOX.parent
_REAL_ROOT = _DISK / "lib"
"""The service's root on the disk of the box: links can be made from here."""
HOMES = _DISK / "homes"

_SEALED_AT = "20260310T120000Z"

# Users cannot go through a directory of root's; an interpreter that lies in one is seen alone.
_SET_UP = """
set -e
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs "$1"
mkdir "$1/stage" "$1/lib"
if [ -n "$3" ]; then
    mount --bind "$4" "$1/stage"
    mount -t tmpfs -o mode=755 tmpfs "$3"
    mkdir -p "$4"
    mount --bind "$1/stage" "$4"
    umount -l "$1/stage"
fi
mount -t tmpfs -o mode=755 tmpfs "$(dirname "$2")"
mkdir "$2"
mount --bind "$1/lib" "$2"
echo ready
exec cat
"""

_RECORD = """
import sys
from telemetry_spool.spool import Spool
for line in sys.stdin.buffer.read().splitlines():
    Spool().append(line, local=sys.argv[1] == "local")
"""


def why_no_machine() -> str | None:
    """Return why there can be no such machine here; None if there can."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "a mount namespace and other users take root on Linux"
    missing = [tool for tool in ("unshare", "nsenter", "setpriv") if not shutil.which(tool)]
    return f"there is no {missing[0]}" if missing else None


def line(user: int, number: int, **details: object) -> bytes:
    """Return an event of this user's."""
    event = {"event_type": "E", "event_details": {"user": user, "number": number, **details}}
    return json.dumps(event).encode()


def sealed(number: int) -> str:
    """Return the name of a sealed segment, in the order of these numbers."""
    return f"{_SEALED_AT}-{number:016x}.jsonl"


def active(user: int, *, kind: str = "active") -> str:
    """Return the name of a user's active segment on this host."""
    return f"{paths.host_name()}.{user}.{kind}.jsonl"


class Machine:
    """The drop box, empty at first, and whoever does something with it."""

    def __init__(self, pid: int, endpoint: Endpoint) -> None:
        """Enter the mounts of the process `pid`; the service sends to this endpoint."""
        self._pid = pid
        self.endpoint = endpoint
        self.settings: dict[str, str] = {}
        for directory, user, mode in (
            (BOX, SERVICE, 0o3733),
            (ROOT, SERVICE, 0o755),
            (HOMES, 0, 0o755),
            *((HOMES / str(user), user, 0o700) for user in (SERVICE, ALICE, BOB, MALLORY)),
        ):
            path = self.path(directory)
            path.mkdir(exist_ok=True)
            os.chown(path, user, user)
            path.chmod(mode)

    def path(self, path: Path) -> Path:
        """Return the path at which the host sees a path of the machine."""
        return Path(f"/proc/{self._pid}/root{path}")

    @property
    def box(self) -> Path:
        """The drop box."""
        return self.path(BOX)

    @property
    def root(self) -> Path:
        """The root of the service, on the same disk as the box."""
        return self.path(_REAL_ROOT)

    def names(self) -> list[str]:
        """Return the names in the drop box, sorted."""
        return sorted(os.listdir(self.box))

    def prefix(self, user: int) -> Sequence[str]:
        """Return the command that becomes a process of this user on the machine."""
        ids = [] if user == 0 else [f"--reuid={user}", f"--regid={user}", "--clear-groups"]
        return ["nsenter", f"--mount=/proc/{self._pid}/ns/mnt", "--", "setpriv", *ids, "--"]

    def environ(self, user: int) -> Mapping[str, str]:
        """Return the environment of a user who has set nothing."""
        home = str(HOMES / str(user))
        return {
            "HOME": home,
            "XDG_CONFIG_HOME": f"{home}/.config",
            "XDG_STATE_HOME": f"{home}/.local/state",
            "XDG_CONFIG_DIRS": "/etc/xdg",
            "FLWR_HOME": f"{home}/.flwr",
        }

    def python(
        self,
        user: int,
        code: str,
        *arguments: str,
        stdin: bytes = b"",
        interpreter: str | Path = sys.executable,
    ) -> str:
        """Run code as a user, in the drop box, to its end; fail if it fails."""
        done = subprocess.run(
            [*self._interpreter(user, code, interpreter), *arguments],
            env=environment(self.environ(user)),
            input=stdin,
            capture_output=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()

    @contextmanager
    def busy(self, user: int, code: str) -> Iterator[None]:
        """Let code of a user's run for as long as the block lasts, from when it prints a line."""
        with subprocess.Popen(
            self._interpreter(user, code),
            env=environment(self.environ(user)),
            stdout=subprocess.PIPE,
        ) as process:
            try:
                assert process.stdout
                assert process.stdout.readline()
                yield
                assert process.poll() is None, "it has ended before"
            finally:
                process.kill()

    def _interpreter(
        self, user: int, code: str, interpreter: str | Path = sys.executable
    ) -> list[str]:
        begin = f"import os; os.chdir({str(BOX)!r})"
        return [*self.prefix(user), str(interpreter), "-c", f"{begin}\n{code}"]

    def record(self, user: int, *lines: bytes, local: bool = False) -> None:
        """Record events as this user, who has configured nothing."""
        self.python(user, _RECORD, "local" if local else "on", stdin=b"\n".join(lines))

    def put(self, user: int, name: str, content: bytes) -> None:
        """Let a user put a file into the drop box that the service can read."""
        self.python(
            user,
            "import sys\n"
            "with open(sys.argv[1], 'xb') as file:\n"
            "    os.fchmod(file.fileno(), 0o660)\n"
            "    file.write(sys.stdin.buffer.read())\n",
            name,
            stdin=content,
        )

    def telemetry_spool(self, user: int, *arguments: str) -> Ended:
        """Run a command of `telemetry-spool` as a user."""
        return command(SPOOL, *arguments, environ=self.environ(user), prefix=self.prefix(user))

    def uploader(self, user: int, *arguments: str) -> Ended:
        """Run a command of `telemetry-uploader` as a user."""
        return command(UPLOADER, *arguments, environ=self.environ(user), prefix=self.prefix(user))

    @property
    def service_environ(self) -> Mapping[str, str]:
        """The environment of the service."""
        return {
            **self.environ(SERVICE),
            "FLWR_TELEMETRY_DIR": str(ROOT),
            "FLWR_TELEMETRY_SPOOL_DIR": str(BOX),
            "FLWR_TELEMETRY_ENDPOINT": self.endpoint.url,
            "FLWR_TELEMETRY_RESCAN_INTERVAL": "0.2",
            **self.settings,
        }

    def service(self) -> AbstractContextManager[Running]:
        """Run the service."""
        return running(UPLOADER, "run", environ=self.service_environ, prefix=self.prefix(SERVICE))

    def serve_once(self) -> Ended:
        """Let the service send what is there, and end."""
        return command(UPLOADER, "once", environ=self.service_environ, prefix=self.prefix(SERVICE))

    def arrived(self) -> Counter[bytes]:
        """Return what the endpoint has accepted."""
        return Counter(request.body for request in self.endpoint.accepted)

    def wait_for(self, *lines: bytes) -> None:
        """Wait until these events have arrived."""
        poll(lambda: all(line in self.arrived() for line in lines), "the events at the endpoint")

    def heartbeat(self) -> dict[str, Any]:
        """Return what the service has said last."""
        return heartbeat(self.root)

    def records(self, kind: str, user: int) -> list[dict[str, Any]]:
        """Return the receipts or dead letters (`rejected`) of a user's events."""
        return [
            json.loads(text)
            for path in sorted((self.root / kind / str(user)).glob("*.jsonl"))
            for text in path.read_bytes().splitlines()
        ]


@contextmanager
def machine(endpoint: Endpoint) -> Iterator[Machine]:
    """Make a machine for as long as the block lasts."""
    interpreter = Path(sys.base_prefix)
    hidden = next((up for up in reversed(interpreter.parents) if not _is_open(up)), None)
    arguments = [str(_DISK), str(ROOT), str(hidden or ""), str(interpreter)]
    with subprocess.Popen(
        ["unshare", "--mount", "sh", "-c", _SET_UP, "sh", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        try:
            assert holder.stdout
            assert holder.stdout.readline() == b"ready\n"
            yield Machine(holder.pid, endpoint)
        finally:
            holder.kill()


def _is_open(directory: Path) -> bool:
    return bool(directory.stat().st_mode & stat.S_IXOTH)
