"""In a container: the uploader is process 1 of its own, beside another on the same volume."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import Place
from tests.flower.namespaces import why_no_namespaces
from tests.support.endpoint import Endpoint
from tests.support.processes import environment, poll

STOPS_WITHIN_SECONDS = 6.0
NAMED = ("unshare", "--uts", "sh", "-c", 'hostname flower && exec "$@"', "sh")


@contextmanager
def container(*argv: str, environ: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command as process 1 on a host that is called "flower"."""
    namespaces = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")
    with subprocess.Popen([*namespaces, *NAMED, *argv], env=environment(environ)) as process:
        try:
            yield process
        finally:
            process.kill()


def process_1(container: subprocess.Popen[bytes]) -> int:
    """Return the process id that a container's process 1 has here."""
    children = Path(f"/proc/{container.pid}/task/{container.pid}/children")
    return int(children.read_text("utf-8").split()[0])


def test_as_process_1_it_sends_what_the_other_container_spools_and_stops_soon(
    place: Place,
) -> None:
    """Both have the same host name, so that nothing has to be quiet first."""
    reason = why_no_namespaces()
    if reason:
        pytest.skip(reason)
    record = "import telemetry_spool; telemetry_spool.event('IN_CONTAINER')"
    with Endpoint() as endpoint:
        environ = place.environ | {"FLWR_TELEMETRY_ENDPOINT": endpoint.url}
        subprocess.run([*NAMED, sys.executable, "-c", record], env=environment(environ), check=True)
        segments = [name.partition(".")[0] for name in place.names()]
        with container(sys.executable, "-m", "uploader.cli", "run", environ=environ) as started:
            assert endpoint.wait_for(1, accepted=True)
            poll(lambda: not [n for n in place.names() if n.endswith(".jsonl")], "it is deleted")
            began = time.monotonic()
            os.kill(process_1(started), signal.SIGTERM)
            code = started.wait()

    assert segments == ["flower"]
    assert code == 0
    assert time.monotonic() - began < STOPS_WITHIN_SECONDS
