"""The daemon as a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests.conftest import DEADLINE_SECONDS, Place
from tests.support.endpoint import Endpoint


@contextmanager
def daemon(place: Place, endpoint: Endpoint, **settings: object) -> Iterator[subprocess.Popen[str]]:
    """Run the daemon for as long as the block lasts, and see it end well."""
    process = start(place, endpoint, "run", **settings)
    try:
        yield process
        process.send_signal(signal.SIGTERM)
        assert process.wait(DEADLINE_SECONDS) == 0
    finally:
        process.kill()
        process.wait()


def start(
    place: Place, endpoint: Endpoint, command: str, **settings: object
) -> subprocess.Popen[str]:
    """Start `telemetry-uploader` with these settings, `rescan_interval=1` for one."""
    variables = {f"FLWR_TELEMETRY_{name.upper()}": str(settings[name]) for name in settings}
    return subprocess.Popen(
        [sys.executable, "-m", "uploader.cli", command, "--endpoint", endpoint.url],
        env=os.environ | place.environ | variables,
        text=True,
    )
