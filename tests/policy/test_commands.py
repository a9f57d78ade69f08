"""What the commands make of a policy: it wins, it is named, and a broken one is one line."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from telemetry_spool.paths import POLICY_FILE, config_files
from tests.policy.conftest import Site
from tests.support.endpoint import Endpoint

POLICY = f"site policy {POLICY_FILE}"


def test_check_shows_what_the_policy_sets_and_that_it_does(
    site: Site, other_endpoint: Endpoint
) -> None:
    """Whatever flag and variable say; what it does not set has the user's origin."""
    site.policy.say(f'endpoint = "{other_endpoint.url}"', 'mode = "local"', "keep_sent = true")

    said = site.uploader("check", "--json", "--endpoint", "https://flag.example.org/")
    shown = site.uploader("check").stdout.splitlines()

    content = json.loads(said.stdout)
    settings = content["settings"]
    assert settings["endpoint"] == {"value": other_endpoint.url, "origin": POLICY}
    assert settings["keep_sent"] == {"value": True, "origin": POLICY}
    assert settings["rescan_interval"] == {"value": 0.2, "origin": "environment"}
    assert content["mode"] == {"value": "local", "origin": f"{POLICY} allows at most local"}
    assert f"{'endpoint':<18} {other_endpoint.url:<45} {POLICY}" in shown
    assert f"{'mode':<18} {'local':<45} {POLICY} allows at most local" in shown


def test_the_policys_endpoint_is_the_only_one(
    site: Site, endpoint: Endpoint, other_endpoint: Endpoint
) -> None:
    """Flag, variable and the user's file say another one, and variables point elsewhere."""
    path = config_files()[0]
    path.parent.mkdir(parents=True)
    path.write_text(f'endpoint = "{endpoint.url}"\n')
    elsewhere = site.place.root.parent / "elsewhere" / "flwr-telemetry"
    elsewhere.mkdir(parents=True)
    (elsewhere / "policy.toml").write_text(f'endpoint = "{endpoint.url}"\n')
    site.environ["XDG_CONFIG_DIRS"] = str(elsewhere.parent)
    site.policy.say(f'endpoint = "{other_endpoint.url}"')
    with site.writer() as writer:
        writer.record("EVENT")

    done = site.uploader("once", "--endpoint", endpoint.url)

    assert (done.code, done.stderr) == (0, "")
    assert endpoint.requests == []
    assert [request.json()["event_type"] for request in other_endpoint.accepted] == ["EVENT"]


@pytest.mark.parametrize(
    ("command", "line", "words"),
    [
        ("run", 'mode = "none"', "mode = 'none': must be on, local or off"),
        ("once", 'endpiont = "https://x.org/"', "unknown setting 'endpiont': did you mean"),
        ("status", "concurrency = 0", "concurrency = 0: must be a whole number from 1 to 64"),
        ("check", 'max_spool_bytes = "1"', "max_spool_bytes = '1': must be a size from 8KiB"),
        ("once", "mode", "not valid TOML"),
    ],
)
def test_the_uploader_refuses_a_broken_policy(
    site: Site, endpoint: Endpoint, command: str, line: str, words: str
) -> None:
    """One line with the file, the key and what is allowed; exit code 78; nothing is sent."""
    with site.writer() as writer:
        writer.record("EVENT")
    site.policy.say(line)

    done = site.uploader(command)

    assert done.code == os.EX_CONFIG
    assert done.stderr.startswith(f"telemetry-uploader: {POLICY}: {words}")
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""
    assert endpoint.requests == []


@pytest.mark.parametrize(
    ("allowed", "command"),
    [("on", "on"), ("local", "on"), ("local", "off"), ("off", "on"), ("off", "local")],
)
def test_a_choice_that_the_policy_overrules_is_kept_and_said_to_be(
    site: Site, allowed: str, command: str
) -> None:
    """It counts again when the policy goes."""
    site.policy.say(f'mode = "{allowed}"')
    order = ["on", "local", "off"]
    overruled = order.index(allowed) > order.index(command)

    done = site.telemetry_spool(command)
    here = f"Here and now the mode is {allowed} all the same: {POLICY} allows at most {allowed}."

    assert done.code == 0
    assert (here in done.stdout) is overruled
    mode = json.loads(site.telemetry_spool("status", "--json").stdout)["mode"]
    assert mode == (allowed if overruled else command)
    site.policy.withdraw()
    assert json.loads(site.telemetry_spool("status", "--json").stdout)["mode"] == command


def test_what_a_policy_keeps_here_is_not_let_go_one_by_one_either(
    site: Site, endpoint: Endpoint, tmp_path: Path
) -> None:
    """Mode `local` that a user chose is the user's to make exceptions from; this one is not."""
    with site.writer() as writer:
        writer.record("EVENT")
    (event,) = site.telemetry_spool("list", "--json").stdout.splitlines()
    assert site.telemetry_spool("local").code == 0
    assert site.telemetry_spool("send", "--yes", json.loads(event)["id"]).code == 0
    site.policy.say('mode = "local"')

    held = site.uploader("once", "--wait", "0")
    sent = site.telemetry_spool("send", "--yes", json.loads(event)["id"])
    carried = site.telemetry_spool("export", "--include-local", str(tmp_path / "bundle.tar.gz"))

    said = f"{POLICY} allows at most local"
    assert [done.code for done in (held, sent, carried)] == [75, 77, 77]
    assert all(said in done.stderr for done in (held, sent, carried))
    assert endpoint.requests == []
    site.policy.withdraw()
    assert site.uploader("once").code == 0
    assert len(endpoint.accepted) == 1


def test_status_names_the_policy(site: Site) -> None:
    """Who asks why nothing is sent is told whose decision it is."""
    site.policy.say('mode = "local"')

    first = site.telemetry_spool("status").stdout.splitlines()[0]

    assert first == f"mode       local ({POLICY} allows at most local)"


def test_people_can_look_and_refuse_under_a_broken_policy(site: Site) -> None:
    """Nothing is recorded meanwhile; `status` says why and what to mend."""
    site.policy.say('mode = "none"')
    problem = f"{POLICY}: mode = 'none': must be on, local or off"

    status = site.telemetry_spool("status")
    refused = site.telemetry_spool("off")
    site.policy.withdraw()

    assert status.code == 0
    assert status.stdout.splitlines()[0] == f"mode       off ({problem})"
    assert f"mend this: {problem}" in status.stdout
    assert refused.code == 0
    assert json.loads(site.telemetry_spool("status", "--json").stdout)["mode"] == "off"


@pytest.mark.parametrize("mode", [0o664, 0o646, 0o666])
def test_a_policy_that_others_may_write_is_refused_with_the_remedy(site: Site, mode: int) -> None:
    """Else whoever may write it sets the endpoint and the proxy of everybody."""
    site.policy.say('mode = "on"')
    site.policy.file.chmod(mode)

    done = site.uploader("check")

    assert done.code == os.EX_CONFIG
    assert f"chmod go-w {POLICY_FILE}" in done.stderr


def test_a_machine_without_a_policy_has_none(site: Site) -> None:
    """An empty directory says nothing."""
    assert POLICY not in site.uploader("check").stdout
