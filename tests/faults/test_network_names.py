"""Name servers that are not there, and name servers that never answer."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest

from tests.conftest import Place
from tests.faults.network_peer import PATH
from tests.faults.network_rows import EVENTS, IN_A_HURRY, Row, fault, with_both
from tests.faults.network_runs import play, verify
from tests.faults.network_uploader import Stage, Uploader, aftermath, over, over_each_transport
from tests.faults.table import survives, survives_each

KEPT = "the events stay in the spool; the endpoint is tried again"

URL = f"https://telemetry.example.org{PATH}"

# Nothing but loopback, and a name server on it that reads every question and answers none. With
# `deaf` for its first argument there is a server; with `absent` nobody is there.
NAMESPACE = """
set -eu
directory=$1 server=$2 python=$3
shift 3
ip link set lo up
mount --bind "$directory/resolv.conf" /etc/resolv.conf
[ ! -e /etc/nsswitch.conf ] || mount --bind "$directory/nsswitch.conf" /etc/nsswitch.conf
if [ "$server" = deaf ]; then
  "$python" -c "$DEAF_SERVER" "$directory/asked" &
  until [ -e "$directory/asked" ]; do sleep 0.01; done
fi
exec "$@"
"""
DEAF_SERVER = """
import ctypes, signal, socket, sys
ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # ends with its parent, the uploader
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.1", 53))
with open(sys.argv[1], "wb", buffering=0) as asked:
    while True:
        asked.write(server.recv(512) + b"\\n")
"""


@cache
def why_no_namespaces() -> str | None:
    """Say why this machine cannot make the namespaces; None if it can."""
    for tool in ("unshare", "ip", "mount"):
        if shutil.which(tool) is None:
            return f"{tool} is not installed"
    command = ["unshare", "--net", "--mount", "ip", "link", "set", "lo", "up"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    return f"namespaces are not permitted: {done.stderr.strip()}" if done.returncode else None


@pytest.fixture(autouse=True)
def _namespaces() -> None:
    if reason := why_no_namespaces():
        pytest.skip(reason)


def names(directory: Path, server: str, options: str) -> Stage:
    """Return a stage whose name server is `deaf` or `absent`, with these resolver options."""
    (directory / "resolv.conf").write_text(f"nameserver 127.0.0.1\n{options}\n", "utf-8")
    (directory / "nsswitch.conf").write_text("hosts: files dns\n", "utf-8")
    prefix = ("unshare", "--net", "--mount", "sh", "-c", NAMESPACE, "sh")
    environ = {"DEAF_SERVER": DEAF_SERVER}
    return Stage(URL, environ, prefix=(*prefix, str(directory), server, sys.executable))


@contextmanager
def absent(directory: Path) -> Iterator[Stage]:
    """Stage a name server that is not there."""
    yield names(directory, "absent", "")


@contextmanager
def deaf(directory: Path) -> Iterator[Stage]:
    """Stage a name server that never answers, and a resolver that waits for it a second."""
    yield names(directory, "deaf", "options timeout:1 attempts:1")


ROWS = [
    Row(fault("no name server", KEPT), absent, reason="name resolution"),
    Row(fault("a name server that never answers", KEPT), deaf, reason="name resolution"),
]

CASES = with_both(ROWS)

NO_LOSS = "nothing is lost"
STOPPED = {"run": 0, "once": 75}


@survives_each(row.fault for row in ROWS)
@pytest.mark.parametrize("row", CASES, ids=[case.name for case in CASES])
def test_a_name_that_is_not_found_leaves_everything(row: Row, tmp_path: Path) -> None:
    """Directories, status and exit codes are as the row says, of the daemon and of `once`."""
    verify(row, play(row, tmp_path))


@survives_each(
    fault(f"SIGTERM to `{command}` while a name server does not answer", f"exit {code}; {NO_LOSS}")
    for command, code in STOPPED.items()
)
@pytest.mark.parametrize("command", STOPPED)
@over_each_transport
def test_a_stop_does_not_wait_for_the_name_server(
    command: str, transport: str, tmp_path: Path
) -> None:
    """The resolver would wait for minutes; the uploader leaves it behind."""
    place = Place(tmp_path / "telemetry")
    spool = place.open()
    for line in EVENTS:
        spool.append(line)
    stage = names(tmp_path, "deaf", "options timeout:30 attempts:5")

    with Uploader(place, stage, over(transport)).running(command) as uploader:
        asked = uploader.wait_for("telemetry", tmp_path / "asked")
        exit_code = uploader.stop()

    assert (asked, exit_code) == (True, STOPPED[command])
    assert aftermath(place).spool == EVENTS


@survives(
    "network", "SIGHUP while a name server does not answer", "the daemon goes on with new settings"
)
def test_new_settings_do_not_wait_for_the_name_server(tmp_path: Path) -> None:
    """With curl, which may leave the look-up of a request behind that took too long to connect."""
    place = Place(tmp_path / "telemetry")
    place.open().append(EVENTS[0])
    stage = names(tmp_path, "deaf", "options timeout:30 attempts:5")

    with Uploader(place, stage, {**over("pycurl"), **IN_A_HURRY}).running() as daemon:
        assert daemon.wait_for("telemetry", tmp_path / "asked")
        daemon.process.send_signal(signal.SIGHUP)
        goes_on = daemon.wait_for("new settings\nINFO sending from", daemon.log)
        exit_code = daemon.stop()

    assert (goes_on, exit_code) == (True, 0)
