"""`telemetry-uploader run` becomes the daemon: the same process, and a small one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import DEADLINE_SECONDS, Place
from tests.e2e.conftest import Site, lines
from tests.support.endpoint import Endpoint
from tests.support.processes import Running, environment

MAPS = Path("/proc/self/maps")
NOT_YET = ("_ssl.", "_hashlib.", "_psutil", "_sqlite3.")
"""Libraries that a daemon does not need before its first event."""
NEVER = ("_psutil", "_sqlite3.")


@pytest.fixture
def site(place: Place, endpoint: Endpoint) -> Site:
    """Return a site that sends to the endpoint."""
    return Site(place, endpoint.url)


def libraries(daemon: Running) -> str:
    """Return what a process has mapped into its memory."""
    return Path(f"/proc/{daemon.pid}/maps").read_text()


@pytest.mark.skipif(not MAPS.exists(), reason="there is no /proc")
def test_what_it_does_not_need_is_not_loaded(site: Site, endpoint: Endpoint) -> None:
    """OpenSSL and requests come with the first event; the command line never does."""
    site.environ["FLWR_TELEMETRY_TRANSPORT"] = "requests"
    with site.daemon() as daemon:
        site.wait_until("idle")
        loaded = libraries(daemon)
        assert [name for name in NOT_YET if name in loaded] == []

        site.record(lines(range(1)))
        assert endpoint.wait_for(1, accepted=True)
        loaded = libraries(daemon)
        assert "_ssl." in loaded
        assert [name for name in NEVER if name in loaded] == []
        assert daemon.stop() == 0


@pytest.mark.skipif(not MAPS.exists(), reason="there is no /proc")
def test_it_is_still_the_process_that_was_started(site: Site) -> None:
    """Same process id for a service manager, same command line for a person with `ps`."""
    with site.daemon("--concurrency", "2") as daemon:
        site.wait_until("idle")
        command_line = Path(f"/proc/{daemon.pid}/cmdline").read_bytes().split(b"\0")
        assert command_line[1:-1] == [b"-m", b"uploader.cli", b"run", b"--concurrency", b"2"]
        assert site.heartbeat()["pid"] == daemon.pid
        assert daemon.stop() == 0


@pytest.mark.parametrize(
    "elsewhere",
    [
        "import os; os.execve = lambda *_: (_ for _ in ()).throw(OSError(2, 'no interpreter'))",
        "sys.executable = ''",
        "sys.orig_argv = ['embedded']",
    ],
)
def test_where_it_cannot_start_itself_anew_it_runs_as_it_is(
    site: Site, endpoint: Endpoint, elsewhere: str
) -> None:
    """Larger, and good for everything else: flags hold there too."""
    del site.environ["FLWR_TELEMETRY_ENDPOINT"]
    code = f"import sys; {elsewhere}; from uploader.cli import main; main()"
    site.record(lines(range(2)))
    with subprocess.Popen(
        [sys.executable, "-c", code, "run", "--endpoint", endpoint.url],
        env=environment(site.environ),
    ) as daemon:
        try:
            assert endpoint.wait_for(2, accepted=True)
        finally:
            daemon.terminate()
        assert daemon.wait(DEADLINE_SECONDS) == 0


def test_its_orders_reach_no_child(site: Site) -> None:
    """A command that a child runs would become a daemon too."""
    code = """
import json, os
from uploader import resident
orders = resident.orders()
print(json.dumps([dict(orders.flags), orders.verbose, [n for n in os.environ if "_RUN" in n]]))
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment(
            {"_FLWR_TELEMETRY_UPLOADER_RUN": '{"flags": {"concurrency": "2"}, "verbose": true}'}
        ),
        check=True,
        capture_output=True,
        text=True,
    )
    assert json.loads(done.stdout) == [{"concurrency": "2"}, True, []]
    assert site.uploader("status").code == 1
