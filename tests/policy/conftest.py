"""A site with a policy: real processes that see it at its real path."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Place
from tests.support.endpoint import Endpoint
from tests.support.heartbeats import heartbeat
from tests.support.policies import SitePolicy, why_no_policies
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

_WRITER = """
import sys
from telemetry_spool import event
for line in sys.stdin:
    event(line.strip())
    print("recorded", flush=True)
"""

_UNPRIVILEGED_WRITER = f"""
import os, sys
import telemetry_spool.standalone, platformdirs.unix, tomllib, logging, encodings.idna
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
{_WRITER}
"""


class Writer:
    """A running process that records an event of the type that it is told."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def record(self, event_type: str) -> None:
        """Record an event; when this returns, `event()` has."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{event_type}\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == "recorded\n"


class Site:
    """A telemetry root, a policy, and what runs under it."""

    def __init__(self, place: Place, policy: SitePolicy, environ: Mapping[str, str]) -> None:
        self.place = place
        self.policy = policy
        self.environ = place.environ | dict(environ)

    @contextmanager
    def writer(self, *, unprivileged: bool = False) -> Iterator[Writer]:
        """Run a process that records events."""
        code = _UNPRIVILEGED_WRITER if unprivileged else _WRITER
        with subprocess.Popen(
            [*self.policy.prefix, sys.executable, "-c", code],
            env=environment(self.environ),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                yield Writer(process)
            finally:
                process.kill()

    def daemon(self, *arguments: str) -> AbstractContextManager[Running]:
        """Run the uploader."""
        prefix = self.policy.prefix
        return running(UPLOADER, "run", *arguments, environ=self.environ, prefix=prefix)

    def uploader(self, *arguments: str) -> Ended:
        """Run another command of the uploader to its end."""
        return command(UPLOADER, *arguments, environ=self.environ, prefix=self.policy.prefix)

    def telemetry_spool(self, *arguments: str) -> Ended:
        """Run a command of `telemetry-spool` to its end."""
        return command(SPOOL, *arguments, environ=self.environ, prefix=self.policy.prefix)

    def heartbeat(self) -> dict[str, Any]:
        """Return what the uploader said last; nothing if it has not said anything."""
        return heartbeat(self.place.root)

    def wait_until(self, activity: str, because: str = "") -> None:
        """Wait until the uploader says that it does this, for a reason with these words."""

        def says_so() -> bool:
            said = self.heartbeat()
            return said.get("activity") == activity and because in said["reason"]

        poll(says_so, f"the activity {activity!r} because of {because!r}")

    def types(self) -> dict[str, list[str]]:
        """Return the types of the events in the spool, by the kind of their segment."""
        return {
            name.split(".")[-2]: [
                json.loads(line)["event_type"]
                for line in (self.place.spool / name).read_bytes().splitlines()
            ]
            for name in self.place.names()
        }


@pytest.fixture
def other_endpoint() -> Iterator[Endpoint]:
    """Return another one."""
    with Endpoint() as started:
        yield started


@pytest.fixture
def policy(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> SitePolicy:
    """Return a policy that says nothing yet; skip where there can be none."""
    reason = why_no_policies(tmp_path_factory.getbasetemp())
    if reason is not None:
        pytest.skip(reason)
    return SitePolicy(tmp_path / "site")


@pytest.fixture
def site(place: Place, policy: SitePolicy, endpoint: Endpoint) -> Site:
    """Return a site whose users' settings say to send to the endpoint."""
    variables = {
        "FLWR_TELEMETRY_ENDPOINT": endpoint.url,
        "FLWR_TELEMETRY_RESCAN_INTERVAL": "0.2",
    }
    return Site(place, policy, variables)
