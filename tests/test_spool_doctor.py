"""`telemetry-spool doctor`: what is wrong has a remedy, and an exit code."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from telemetry_spool.consent import Mode
from telemetry_spool.diagnosis import Check, diagnose, hook
from telemetry_spool.environments import Environment
from telemetry_spool.inotify import inotify_problem
from telemetry_spool.writer_settings import writer_config
from tests.conftest import Place
from tests.e2e.conftest import Site, lines

FINE = Environment("/venv", hooked=True, flower=("flwr 1.41.0",), misfits=())


def checks(place: Place, environ: dict[str, str] | None = None) -> dict[str, list[Check]]:
    """Return what doctor finds, by name."""
    found: dict[str, list[Check]] = {}
    for check in diagnose(writer_config(place.environ | (environ or {})), (), environ or {}):
        found.setdefault(check.name, []).append(check)
    return found


def test_a_fresh_machine_lacks_an_uploader_only(place: Place) -> None:
    """The spool is made by the first event; doctor makes nothing."""
    found = checks(place)

    assert [name for name in found if not found[name][0].ok] == ["uploader"]
    assert found["spool"][0].finding == f"{place.spool} is not there yet: the first event makes it"
    assert not place.root.exists()


@pytest.mark.parametrize(
    ("environment", "environ", "ok", "said"),
    [
        (FINE, {}, True, "flwr 1.41.0 in /venv: spooled"),
        (FINE, {"FLWR_TELEMETRY_SPOOL": "0"}, False, "left as it is: FLWR_TELEMETRY_SPOOL=0"),
        (
            Environment("/venv", hooked=False, flower=("flwr 1.41.0",), misfits=()),
            {},
            False,
            "the start-up file is not there",
        ),
        (
            Environment(
                "/venv", hooked=True, flower=("flwr 9.0",), misfits=("m: it has no event()",)
            ),
            {},
            False,
            "not spooled: m: it has no event()",
        ),
        (Environment("/usr", hooked=False, flower=(), misfits=()), {}, True, "no Flower in /usr"),
    ],
)
def test_the_hook_is_judged_by_what_is_installed(
    environment: Environment, environ: dict[str, str], ok: bool, said: str
) -> None:
    """Where Flower is not, nothing has to be."""
    check = hook(environment, environ, Mode.ON)

    assert (check.ok, said in check.finding) == (ok, True)


@pytest.mark.parametrize(
    ("mode", "said"),
    [
        (Mode.ON, "spooled"),
        (Mode.LOCAL, "spooled"),
        (Mode.OFF, "not recorded, the mode is off"),
    ],
)
def test_the_hook_says_what_becomes_of_events_in_each_mode(mode: Mode, said: str) -> None:
    """With the mode off nothing is spooled, and nothing is wrong."""
    check = hook(FINE, {}, mode)

    assert (check.ok, check.finding) == (True, f"flwr 1.41.0 in /venv: {said}")


@pytest.mark.parametrize(
    ("variable", "value", "ok"),
    [
        ("HTTPS_PROXY", "http://proxy.example.org:3128", True),
        ("https_proxy", "proxy.example.org:3128", True),
        ("HTTPS_PROXY", "http://:3128", False),
        ("all_proxy", "http://proxy.example.org:port", False),
        ("REQUESTS_CA_BUNDLE", "/absent/ca.pem", False),
        ("SSL_CERT_FILE", os.devnull, True),
    ],
)
def test_proxies_and_certificates_are_looked_at(
    place: Place, variable: str, value: str, ok: bool
) -> None:
    """Without connecting anywhere."""
    found = checks(place, {variable: value}).get("network", [])

    assert [variable in check.finding for check in found] == ([] if ok else [True])


def test_a_spool_that_others_can_read_is_named(place: Place) -> None:
    """With the command that mends it."""
    place.spool.mkdir(parents=True)
    place.spool.chmod(0o755)

    (check,) = checks(place)["spool"]
    assert (check.finding, check.remedy) == (
        f"{place.spool} can be read by others",
        f"chmod 700 {place.spool}",
    )


def test_what_a_crash_left_is_named(place: Place) -> None:
    """If it is old; what is young is being written."""
    place.spool.mkdir(parents=True, mode=0o700)
    old, young = (place.spool / f"20260101T000000Z-000000000000000{n}.tmp" for n in (1, 2))
    for path in (old, young):
        path.write_bytes(b"{}")
    os.utime(old, (0, time.time() - 7200))

    (check,) = checks(place)["leftovers"]
    assert check.finding == f"1 left by a crash, {old.name} for one"


def test_a_full_disk_is_named(small_disk: Path) -> None:
    """Before it costs events."""
    place = Place(small_disk / "telemetry")
    place.spool.mkdir(parents=True, mode=0o700)

    (check,) = checks(place)["disk"]
    assert (check.finding, check.ok) == ("0 MiB free", False)


def test_inotify_says_what_is_wrong(tmp_path: Path) -> None:
    """For a directory that can be watched, nothing."""
    assert inotify_problem(str(tmp_path)) is None
    assert inotify_problem(str(tmp_path / "absent")) == "No such file or directory"


def test_doctor_ends_with_1_if_anything_is_wrong(place: Place) -> None:
    """And with 0 if not; in words where the encoding has no tick."""
    site = Site(place, "http://127.0.0.1:9/", max_event_bytes="lots")
    site.record(lines(range(1)))
    site.environ |= {"PYTHONIOENCODING": "ascii"}

    ended = site.telemetry_spool("doctor")

    assert (ended.code, ended.stderr) == (1, "")
    rows = ended.stdout.splitlines()
    assert "ok consent    on (default: nothing was chosen)" in rows
    bad = next(row for row in rows if "MAX_EVENT_BYTES" in row)
    assert bad.startswith("!! settings   FLWR_TELEMETRY_MAX_EVENT_BYTES = 'lots'")
    assert rows[rows.index(bad) + 1].split() == [
        "->",
        *["correct", "it:", "until", "then", "its", "default", "is", "used"],
    ]

    del site.environ["FLWR_TELEMETRY_MAX_EVENT_BYTES"]
    site.environ |= {"DO_NOT_TRACK": "1"}
    calm = site.telemetry_spool("doctor", "--json")
    assert calm.code == 0
    assert all(check["ok"] for check in json.loads(calm.stdout))


def test_status_tells_of_flower_and_the_hook(place: Place) -> None:
    """In this environment."""
    site = Site(place, "http://127.0.0.1:9/")

    status = json.loads(site.telemetry_spool("status", "--json").stdout)
    assert set(status["flower"]) == {"found", "hooked", "misfits"}
    assert status["flower"]["misfits"] == []
    last = site.telemetry_spool("status").stdout.splitlines()[-1]
    expected = status["flower"]["found"] or ["no Flower in "]
    assert last.startswith(f"flower     {expected[0]}")
