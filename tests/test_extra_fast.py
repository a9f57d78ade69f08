"""Without the extra `fast` and the compiled part everything works but what needs a library."""

from __future__ import annotations

import gzip
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from telemetry_spool.consent import Mode
from tests.conftest import Place
from tests.e2e.conftest import Site, ids, lines
from tests.e2e.test_deciding import decide
from tests.support.endpoint import Endpoint
from tests.support.processes import DEADLINE_SECONDS, Ended, environment
from uploader.scanner import why_not

EXTRA = ("pycurl", "isal", "zstandard")
WRONG = 78

REMEDY = "pip install 'flwr-telemetry-spool[fast]'"


@pytest.fixture
def site(place: Place, endpoint: Endpoint) -> Site:
    """Return a site that sends to the endpoint."""
    return Site(place, endpoint.url)


def without(site: Site, *arguments: str, libraries: tuple[str, ...] = EXTRA) -> Ended:
    """Run a command of the uploader to its end without these libraries and the compiled part."""
    code = (
        f"import pathlib, sys; sys.modules.update(dict.fromkeys({libraries!r}));"
        " from uploader import cli, scanner; scanner.LIBRARY = pathlib.Path('absent'); cli.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=environment(site.environ),
        check=False,
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize(
    ("setting", "value", "library"),
    [("transport", "pycurl", "pycurl"), ("compression", "zstd", "zstandard")],
)
def test_what_needs_a_library_says_so(site: Site, setting: str, value: str, library: str) -> None:
    """With the setting, where it comes from, and what to do."""
    pytest.importorskip(library, reason=f"there is no {library}")
    site.set(sink="ndjson", **{setting: value})

    ended = without(site, "check", libraries=(library,))

    assert (ended.code, ended.stdout) == (WRONG, "")
    (said,) = ended.stderr.splitlines()
    assert f"{setting} = {value!r} (environment): {library}" in said
    assert said.endswith(REMEDY)
    assert site.uploader("check").code == 0


@pytest.mark.parametrize("value", ["Bearer a\nX: y", "Bearer ü", " Bearer a", "Bearer a\r"])
def test_an_authorization_that_is_no_header_is_refused_unseen(site: Site, value: str) -> None:
    """It may be a secret all the same."""
    site.set(authorization=value)

    for command in (["check"], ["check", "--json"], ["once"], ["doctor"]):
        ended = site.uploader(*command)
        assert (command, ended.code) == (command, WRONG)
        (said,) = ended.stderr.splitlines()
        assert "FLWR_TELEMETRY_AUTHORIZATION: must be one line of printable ASCII" in said
        assert "Bearer a" not in said + ended.stdout
        assert "ü" not in said + ended.stdout


@pytest.mark.parametrize("settings", [{}, {"sink": "ndjson"}])
def test_without_them_all_events_arrive(
    site: Site, endpoint: Endpoint, settings: dict[str, str]
) -> None:
    """Through `requests`, as the same requests that curl would carry."""
    events = lines(range(50))
    site.set(**settings)
    site.record(events)
    assert without(site, "once").code == 0
    plain = told(endpoint)
    endpoint.requests.clear()
    site.record(events)
    assert site.uploader("once").code == 0

    assert told(endpoint) == plain
    assert plain
    assert site.receipts() == Counter(dict.fromkeys(ids(events), 2))


def test_doctor_says_how_lines_are_read(site: Site) -> None:
    """Without the compiled part it works, and somebody may wonder why it is slow."""
    slow = without(site, "doctor")

    assert "read in Python: the package was built without a C compiler" in slow.stdout
    if not why_not():
        assert "read by the compiled part" in site.uploader("doctor").stdout


def told(endpoint: Endpoint) -> Counter[tuple[object, ...]]:
    """Return all that an endpoint can see of requests but the order of headers, and how often."""
    return Counter(
        (request.method, request.path, request.body, frozenset(request.headers.items()))
        for request in endpoint.requests
    )


def test_gzip_needs_no_library(site: Site, endpoint: Endpoint) -> None:
    """Python has one."""
    events = lines(range(50))
    site.set(sink="ndjson", compression="gzip")
    site.record(events)

    assert without(site, "once").code == 0

    (request,) = endpoint.requests
    assert gzip.decompress(request.body).split(b"\n")[:-1] == events


MAPS = Path("/proc/self/maps")
"""Where to see what a process has loaded."""


@pytest.mark.skipif(not MAPS.exists(), reason="there is no /proc")
@pytest.mark.parametrize(
    ("transport", "used"), [("auto", True), ("pycurl", True), ("requests", False)]
)
def test_curl_carries_where_it_can_unless_requests_are_asked_for(
    site: Site, endpoint: Endpoint, transport: str, *, used: bool
) -> None:
    """And it is not there before the first event, if nobody asked for it."""
    pytest.importorskip("pycurl", reason="there is no pycurl")
    site.set(transport=transport)
    with site.daemon() as daemon:
        maps = Path(f"/proc/{daemon.pid}/maps")
        site.wait_until("idle")
        if transport != "pycurl":
            assert "pycurl" not in maps.read_text()
        site.record(lines(range(1)))
        assert endpoint.wait_for(1, accepted=True)
        assert ("pycurl" in maps.read_text()) == used
        assert daemon.stop() == 0


@pytest.mark.skipif(not MAPS.exists(), reason="there is no /proc")
def test_a_daemon_that_may_not_send_has_loaded_no_library(site: Site) -> None:
    """It is half the size without."""
    site.set(sink="ndjson", compression="gzip")
    decide(Mode.LOCAL)
    site.record(lines(range(3)), local=True)
    with site.daemon() as daemon:
        site.wait_until("paused")
        loaded = Path(f"/proc/{daemon.pid}/maps").read_text()
        assert [name for name in ("pycurl", "isal", "_ssl.") if name in loaded] == []
        assert daemon.stop() == 0
