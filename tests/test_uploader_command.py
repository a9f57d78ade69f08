"""The command `telemetry-uploader`: exit codes, one line on stderr, what scripts may rely on."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from telemetry_spool import __version__, paths
from tests.conftest import Place
from tests.e2e.conftest import Site, bodies, lines
from tests.support.endpoint import Answer, Endpoint, Request
from tests.support.network import unused_port
from tests.support.processes import UPLOADER, Ended, command
from tests.test_append import locked_by_another_process
from uploader import config
from uploader.engine import Engine
from uploader.once import Ending, drain
from uploader.settings import ALL_SETTINGS

TEMPORARY, WRONG_SETTING, CANNOT_CREATE, UNAVAILABLE = 75, 78, 73, 69
"""What sysexits.h calls EX_TEMPFAIL, EX_CONFIG, EX_CANTCREAT and EX_UNAVAILABLE."""


@pytest.fixture
def site(place: Place, endpoint: Endpoint) -> Site:
    """Return a site that sends to the endpoint."""
    return Site(place, endpoint.url)


def the_line(ended: Ended) -> str:
    """Return the one line on stderr, which must be all that was said."""
    assert ended.stdout == ""
    (said,) = ended.stderr.splitlines()
    assert said.startswith("telemetry-uploader: ")
    return said.removeprefix("telemetry-uploader: ")


def test_help_and_version() -> None:
    """Every command and every setting is found from here."""
    shown = command(UPLOADER, "--help", environ={})
    assert shown.code == 0
    for name in ("run", "once", "status", "check", "collect"):
        assert f" {name} " in shown.stdout
    settings = command(UPLOADER, "run", "--help", environ={"COLUMNS": "200"}).stdout
    for flag in ("--endpoint", "--concurrency", "--rescan-interval", "--keep-sent", "--dir"):
        assert flag in settings

    assert (
        command(UPLOADER, "--version", environ={}).stdout == f"telemetry-uploader {__version__}\n"
    )


def test_once_sends_everything_and_says_nothing(site: Site, endpoint: Endpoint) -> None:
    """Exit code 0: cron sends no mail."""
    events = lines(range(20))
    site.record(events)

    assert site.uploader("once") == Ended(0, "", "")

    assert bodies(endpoint) == dict.fromkeys(events, 1)
    assert site.place.names() == ["uploader.lock"]
    assert site.heartbeat()["activity"] == "ended"


def test_once_without_events_opens_no_connection(site: Site, endpoint: Endpoint) -> None:
    """There is nothing to say to the endpoint."""
    assert site.uploader("once") == Ended(0, "", "")
    assert endpoint.requests == []


def test_once_keeps_what_cannot_be_sent(site: Site, endpoint: Endpoint) -> None:
    """Exit code 75, and the line says how many and why."""
    events = lines(range(3))
    site.record(events)
    endpoint.stop()

    ended = site.uploader("once", "--wait", "0")

    assert ended.code == TEMPORARY
    assert the_line(ended).startswith("3 events kept for later: curl: (7) Failed to connect")
    assert site.place.lines() == events


def test_once_waits_for_an_endpoint_that_is_busy(site: Site, endpoint: Endpoint) -> None:
    """Within `--wait` the run goes on when the endpoint is ready."""
    site.record(lines(range(3)))
    busy = iter([Answer(503, {"Retry-After": "1"})])
    endpoint.answer = lambda _: next(busy, Answer())

    assert site.uploader("once", "--wait", "30", "--concurrency", "1") == Ended(0, "", "")
    assert len(endpoint.accepted) == 3


def test_once_does_not_wait_longer_than_it_may(site: Site, endpoint: Endpoint) -> None:
    """An hour is more than `--wait`: it ends without waiting at all."""
    site.record(lines(range(3)))
    endpoint.answer = lambda _: Answer(503, {"Retry-After": "3600"})

    ended = site.uploader("once", "--wait", "30", "--concurrency", "1")

    assert ended.code == TEMPORARY
    assert the_line(ended) == "3 events kept for later: HTTP 503"
    assert len(endpoint.requests) == 1


def test_once_says_how_many_events_were_set_aside(site: Site, endpoint: Endpoint) -> None:
    """They are dealt with, so the exit code is 0; but somebody should look."""
    events = lines(range(3))
    site.record([*events, b"no JSON"])
    endpoint.answer = lambda request: Answer(400 if request.body == events[1] else 201)

    ended = site.uploader("once")

    assert ended.code == 0
    assert the_line(ended) == f"2 events were set aside in {site.place.root / 'rejected'}"


def test_once_leaves_a_spool_that_another_uploader_has(site: Site, endpoint: Endpoint) -> None:
    """It says who has it."""
    site.record(lines(range(2)))
    (site.place.spool / "uploader.lock").write_text("1234 login-node\n")

    with locked_by_another_process(site.place.spool / "uploader.lock"):
        ended = site.uploader("once")

    assert ended.code == TEMPORARY
    assert the_line(ended) == "2 events kept for later: uploader 1234 login-node has this spool"
    assert endpoint.requests == []


@pytest.mark.parametrize(
    ("variable", "value"), [("FLWR_TELEMETRY_ENABLED", "0"), ("DO_NOT_TRACK", "1")]
)
def test_once_sends_nothing_against_consent(
    site: Site, endpoint: Endpoint, variable: str, value: str
) -> None:
    """The line names the rule."""
    site.record(lines(range(2)))
    site.environ[variable] = value

    ended = site.uploader("once")

    assert ended.code == TEMPORARY
    assert the_line(ended).startswith(f"2 events kept for later: mode off: {variable} is set")
    assert endpoint.requests == []


def test_once_rests_while_it_waits_for_an_answer(place: Place, endpoint: Endpoint) -> None:
    """With `--wait 0` too: only the endpoint's readiness is not waited for."""
    place.open().append(b"{}")
    turns = 0
    enough = threading.Event()

    def slow(_: Request) -> Answer:
        enough.wait(1.0)
        return Answer()

    def count(_: Engine) -> None:
        nonlocal turns
        turns += 1
        if turns > 100:
            enough.set()

    endpoint.answer = slow
    loaded = config.load({"endpoint": endpoint.url}, place.environ)

    assert drain(loaded, 0.0, count).ending is Ending.DRAINED
    assert turns < 100


@pytest.mark.parametrize(
    ("arguments", "environ", "said"),
    [
        pytest.param(
            ["run", "--concurrency", "0"],
            {},
            "--concurrency = '0': must be a whole number from 1 to 64",
            id="flag",
        ),
        pytest.param(
            ["status"],
            {"FLWR_TELEMETRY_READ_TIMEOUT": "soon"},
            "FLWR_TELEMETRY_READ_TIMEOUT = 'soon': must be a number of seconds from 0.1 to 3600",
            id="variable",
        ),
        pytest.param(
            ["check"],
            {"FLWR_TELEMETRY_DIR": "somewhere"},
            "FLWR_TELEMETRY_DIR = 'somewhere': must be an absolute path",
            id="directory",
        ),
        pytest.param(
            ["once", "--endpoint", "http://example.org/"],
            {},
            "endpoint = 'http://example.org/' (flag): events would cross the network in the clear; "
            "use https, or set allow_insecure = true",
            id="in the clear",
        ),
    ],
)
def test_a_wrong_setting_is_one_line(
    place: Place, arguments: list[str], environ: dict[str, str], said: str
) -> None:
    """Exit code 78, and nothing was made."""
    ended = command(UPLOADER, *arguments, environ=place.environ | environ)

    assert ended.code == WRONG_SETTING
    assert the_line(ended) == said
    assert not place.root.exists()


def test_an_unknown_key_in_a_file_is_one_line(place: Place) -> None:
    """With the file, and what was perhaps meant."""
    path = paths.config_files()[0]
    path.parent.mkdir(parents=True)
    path.write_text('endpont = "https://example.org/"\n')

    ended = command(UPLOADER, "run", environ=place.environ)

    assert ended.code == WRONG_SETTING
    assert the_line(ended) == f"{path}: unknown setting 'endpont': did you mean 'endpoint'?"


@pytest.mark.parametrize("name", ["run", "once"])
def test_a_spool_that_cannot_be_made_is_one_line(
    place: Place, endpoint: Endpoint, name: str
) -> None:
    """With the path that is in the way."""
    place.root.write_bytes(b"")

    ended = command(UPLOADER, name, "--endpoint", endpoint.url, environ=place.environ)

    assert ended.code == CANNOT_CREATE
    assert the_line(ended) == f"{place.root}: File exists"


def test_check_shows_each_setting_and_where_it_comes_from(place: Place) -> None:
    """And makes nothing, and opens no connection."""
    environ = place.environ | {"FLWR_TELEMETRY_CONCURRENCY": "8"}
    url = f"http://127.0.0.1:{unused_port()}/"

    ended = command(UPLOADER, "check", "--endpoint", url, "--keep-sent", environ=environ)

    assert (ended.code, ended.stderr) == (0, "")
    shown = [row.split(maxsplit=2) for row in ended.stdout.splitlines()]
    assert [name for name, _, _ in shown] == [setting.name for setting in ALL_SETTINGS] + ["mode"]
    assert {name: (value, origin) for name, value, origin in shown} == {
        "endpoint": (url, "flag"),
        "proxy": ("unset", "default"),
        "ca_bundle": ("unset", "default"),
        "concurrency": ("8", "environment"),
        "connect_timeout": ("10", "default"),
        "read_timeout": ("60", "default"),
        "rescan_interval": ("30", "default"),
        "poll_interval": ("5", "default"),
        "allow_insecure": ("false", "default"),
        "keep_sent": ("true", "flag"),
        "strict": ("false", "default"),
        "sink": ("event", "default"),
        "compression": ("none", "default"),
        "batch_events": ("10000", "default"),
        "batch_bytes": ("1048576", "default"),
        "batch_seconds": ("1", "default"),
        "authorization": ("unset", "default"),
        "transport": ("auto", "default"),
        "max_events_per_second": ("unset", "default"),
        "dir": (str(place.root), "environment"),
        "spool_dir": (str(place.spool), "default"),
        "max_event_bytes": ("65536", "default"),
        "max_segment_bytes": ("1048576", "default"),
        "max_spool_bytes": ("67108864", "default"),
        "fsync": ("false", "default"),
        "mode": ("on", "default: nothing was chosen"),
    }
    assert not place.root.exists()


def test_check_as_json(place: Place) -> None:
    """The same for scripts, with types."""
    ended = command(UPLOADER, "check", "--json", environ=place.environ | {"DO_NOT_TRACK": "1"})

    content = json.loads(ended.stdout)
    assert content["settings"]["concurrency"] == {"value": 4, "origin": "default"}
    assert content["settings"]["dir"] == {"value": str(place.root), "origin": "environment"}
    assert content["mode"] == {"value": "off", "origin": "DO_NOT_TRACK is set"}


@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_check_shows_no_credentials(place: Place, flags: list[str]) -> None:
    """Its output goes into tickets and chats: that they are there is all that it says."""
    environ = place.environ | {
        "FLWR_TELEMETRY_AUTHORIZATION": "Bearer t0ken",
        "FLWR_TELEMETRY_PROXY": "http://user:passw0rd@127.0.0.1:3128",
    }

    ended = command(UPLOADER, "check", *flags, environ=environ)

    assert (ended.code, ended.stderr) == (0, "")
    assert "t0ken" not in ended.stdout
    assert "passw0rd" not in ended.stdout
    shown = json.loads(ended.stdout)["settings"]["authorization"] if flags else None
    assert shown in (None, {"value": "…", "origin": "environment"})


def test_status_of_nothing(place: Place) -> None:
    """Exit code 1: no uploader runs. Looking makes nothing."""
    ended = command(UPLOADER, "status", environ=place.environ)

    assert (ended.code, ended.stderr) == (1, "")
    assert "uploader   never ran with this spool" in ended.stdout
    assert not place.root.exists()


def test_status_of_an_uploader_that_runs_now_and_then(site: Site) -> None:
    """Exit code 0 between two runs: nobody has to start anything."""
    assert site.uploader("once").code == 0
    site.record(lines(range(1)))

    ended = site.uploader("status")

    assert (ended.code, ended.stderr) == (0, "")
    assert "uploader   a single run ended at " in ended.stdout
    assert "advice" not in ended.stdout


def test_status_of_an_uploader_that_runs(site: Site) -> None:
    """Exit code 0, and what it does."""
    with site.daemon():
        site.wait_until("idle")
        ended = site.uploader("status", "--json")

    content = json.loads(ended.stdout)
    assert (ended.code, ended.stderr) == (0, "")
    assert content["uploader"]["alive"] is True
    assert content["uploader"]["activity"] == "idle"
    assert content["pending"]["events"] == 0


def test_collect_on_a_port_that_is_taken_is_one_line(tmp_path: Path, endpoint: Endpoint) -> None:
    """With address and port."""
    database = str(tmp_path / "events.db")
    port = str(endpoint.port)

    ended = command(UPLOADER, "collect", "--port", port, "--database", database, environ={})

    assert ended.code == UNAVAILABLE
    assert the_line(ended) == f"cannot listen on 127.0.0.1:{port}: Address already in use"


def test_collect_without_a_place_for_its_database_is_one_line(tmp_path: Path) -> None:
    """With the path."""
    database = str(tmp_path / "absent" / "events.db")

    ended = command(UPLOADER, "collect", "--port", "0", "--database", database, environ={})

    assert ended.code == CANNOT_CREATE
    assert the_line(ended) == f"{database}: unable to open database file"
