"""Many hosts, one home: one uploader works, and another host's writers are left in peace."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from telemetry_spool.listing import QUIET_SECONDS
from tests.conftest import Place
from tests.e2e.conftest import Site, bodies, lines
from tests.service.hosts import NAMED, run_on, why_not
from tests.support.endpoint import Endpoint
from tests.support.processes import UPLOADER, Running, poll, running

APPEND = """
import sys
from telemetry_spool import Spool
Spool().append(sys.argv[1].encode())
"""


@pytest.fixture
def site(place: Place, endpoint: Endpoint) -> Site:
    """Return a site whose hosts look at the shared spool often."""
    if reason := why_not([*NAMED, "node"]):
        pytest.skip(reason)
    return Site(place, endpoint.url, rescan_interval=0.2)


def active_of(site: Site, host: str) -> Path:
    """Return the path of a host's active segment."""
    return site.place.spool / f"{host}.{os.geteuid()}.active.jsonl"


def append_on(host: str, site: Site, event: bytes) -> None:
    """Record an event on a host."""
    run_on(host, APPEND, event.decode(), environ=site.environ)


def test_another_hosts_segment_is_sealed_only_when_it_is_quiet(
    site: Site, endpoint: Endpoint
) -> None:
    """A lock may mean nothing between hosts: only time says that nobody writes."""
    busy, quiet, own = lines(range(3))
    append_on("node1", site, busy)
    append_on("node2", site, quiet)
    long_ago = time.time() - QUIET_SECONDS - 5
    os.utime(active_of(site, "node2"), (long_ago, long_ago))

    with running(UPLOADER, "run", environ=site.environ, prefix=[*NAMED, "login"]) as daemon:
        assert endpoint.wait_for(1, accepted=True)
        append_on("login", site, own)
        assert endpoint.wait_for(2, accepted=True)
        assert bodies(endpoint) == {quiet: 1, own: 1}
        assert active_of(site, "node1").read_bytes() == busy + b"\n"
        assert site.heartbeat()["host"] == "login"

        os.utime(active_of(site, "node1"), (long_ago, long_ago))
        assert endpoint.wait_for(3, accepted=True)
        assert daemon.stop() == 0

    assert bodies(endpoint) == {busy: 1, quiet: 1, own: 1}


def test_one_of_several_hosts_uploads_and_another_takes_over(
    site: Site, endpoint: Endpoint
) -> None:
    """Each killed in its turn: everything is sent once, by whoever has the lock."""
    hosts = ["login1", "login2", "login3"]
    events = lines(range(len(hosts)))
    with ExitStack() as stack:
        daemons: dict[str, Running] = {
            host: stack.enter_context(
                running(UPLOADER, "run", environ=site.environ, prefix=[*NAMED, host])
            )
            for host in hosts
        }
        for event in events:
            poll(
                lambda: (
                    site.heartbeat().get("host") in daemons
                    and site.heartbeat()["pid"] == daemons[site.heartbeat()["host"]].pid
                ),
                "a host that uploads",
            )
            elected = site.heartbeat()["host"]
            append_on(elected, site, event)
            site.wait_until_drained()
            assert site.heartbeat()["host"] == elected
            daemons.pop(elected).kill()

    assert bodies(endpoint) == dict.fromkeys(events, 1)
