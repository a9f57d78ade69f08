"""A terminal that is closed, and nohup: what SIGHUP means to a daemon that somebody started."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.e2e.conftest import Site, bodies, lines
from tests.support.endpoint import Endpoint
from tests.support.manager import listening
from tests.support.processes import DEADLINE_SECONDS, UPLOADER, environment

# Make the terminal at stdin the one that controls this process, as a login does.
TAKE_TERMINAL = """
import fcntl, os, sys, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, "-m", *sys.argv[1:]])
"""


@contextmanager
def started(
    command: list[str], environ: Mapping[str, str], stdin: int
) -> Iterator[subprocess.Popen[str]]:
    """Run a command for as long as the block lasts."""
    with subprocess.Popen(
        command,
        env=environment(environ),
        stdin=stdin,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


IN_A_TERMINAL = [sys.executable, "-c", TAKE_TERMINAL, UPLOADER, "run"]


def test_a_daemon_ends_with_its_terminal(site: Site) -> None:
    """As every program does whose window is closed; progress is saved."""
    ours, theirs = pty.openpty()
    with started(IN_A_TERMINAL, site.environ, theirs) as daemon:
        os.close(theirs)
        site.wait_until("idle")
        os.close(ours)  # the kernel sends SIGHUP
        assert daemon.wait(DEADLINE_SECONDS) == 0

    assert site.heartbeat()["activity"] == "stopped"


def test_a_signal_reloads_a_daemon_that_has_its_terminal(site: Site, tmp_path: Path) -> None:
    """`kill -HUP` for a daemon in a window does what it does for a service."""
    ours, theirs = pty.openpty()
    with listening(tmp_path / "notify") as manager:
        environ = {**site.environ, **manager.environ}
        with started(IN_A_TERMINAL, environ, theirs) as daemon:
            manager.hear_until("READY")
            daemon.send_signal(signal.SIGHUP)
            manager.hear_until("RELOADING")
            manager.hear_until("READY")
            daemon.terminate()
            assert daemon.wait(DEADLINE_SECONDS) == 0
    os.close(theirs)
    os.close(ours)


def test_nohup_keeps_the_signal_ignored(site: Site, endpoint: Endpoint) -> None:
    """It neither ends nor reloads."""
    command = ["nohup", sys.executable, "-m", UPLOADER, "run"]
    with started(command, site.environ, subprocess.DEVNULL) as daemon:
        site.wait_until("idle")
        daemon.send_signal(signal.SIGHUP)
        site.record(lines(range(1)))
        assert endpoint.wait_for(1, accepted=True)
        daemon.terminate()
        assert daemon.wait(DEADLINE_SECONDS) == 0
        assert daemon.stderr is not None
        assert "new settings" not in daemon.stderr.read()

    assert bodies(endpoint) == dict.fromkeys(lines(range(1)), 1)
