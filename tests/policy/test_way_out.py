"""Proxy and certificates by policy and by setting: used, whatever variables say, and kept quiet."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from telemetry_spool.paths import POLICY_FILE
from tests.conftest import Place
from tests.faults.network_peer import Peer, accepting
from tests.faults.test_network_proxies import NoTinyproxy, tinyproxy
from tests.faults.test_network_tls import AUTHORITY, current
from tests.policy.conftest import Site
from tests.support.policies import SitePolicy
from tests.support.processes import UPLOADER, command, poll, running

USER, PASSWORD = "spool", "correct-horse"
LOGIN = f"{USER}:{PASSWORD}"
SECRETS = (PASSWORD, base64.b64encode(LOGIN.encode()).decode())
POLICY = f"site policy {POLICY_FILE}"


@pytest.fixture
def secure() -> Iterator[Peer]:
    """Return an https endpoint that takes every event."""
    with Peer(accepting, tls=current()) as peer:
        yield peer


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[str]:
    """Return the URL, with the login, of a proxy that wants one."""
    try:
        with tinyproxy(tmp_path, f"BasicAuth {USER} {PASSWORD}") as port:
            yield f"http://{LOGIN}@127.0.0.1:{port}"
    except NoTinyproxy as reason:
        pytest.skip(str(reason))


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """Return a file with the certificate of the endpoint's authority."""
    path = tmp_path / "authority.pem"
    AUTHORITY.cert_pem.write_to_path(str(path))
    return path


@pytest.fixture
def way_out(proxy: str, bundle: Path) -> list[str]:
    """Return the lines of a policy that lead to the endpoint."""
    return [f'proxy = "{proxy}"', f'ca_bundle = "{bundle}"']


@pytest.fixture
def wrong(tmp_path: Path) -> dict[str, str]:
    """Return variables that lead nowhere and trust somebody else."""
    path = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(str(path))
    return {
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "NO_PROXY": "localhost",
        "REQUESTS_CA_BUNDLE": str(path),
        "FLWR_TELEMETRY_PROXY": "http://127.0.0.1:9",
        "FLWR_TELEMETRY_CA_BUNDLE": str(path),
    }


def test_the_policys_proxy_and_certificates_are_the_only_way_out(
    place: Place, policy: SitePolicy, secure: Peer, way_out: list[str], wrong: dict[str, str]
) -> None:
    """Variables and settings of users are wrong in every way, and do not matter."""
    site = Site(place, policy, wrong)
    policy.say(f'endpoint = "{secure.url}"', *way_out)
    with site.writer() as writer:
        writer.record("EVENT")

    done = site.uploader("once", "--proxy", "http://127.0.0.1:9", "--wait", "0")

    assert (done.code, done.stderr) == (0, "")
    assert [json.loads(body)["event_type"] for body in secure.accepted] == ["EVENT"]


def test_a_running_uploader_takes_the_policys_way_out(
    place: Place, policy: SitePolicy, secure: Peer, way_out: list[str], wrong: dict[str, str]
) -> None:
    """What was held before goes out as soon as the policy is there."""
    variables = {"FLWR_TELEMETRY_ENDPOINT": secure.url, "FLWR_TELEMETRY_RESCAN_INTERVAL": "0.2"}
    site = Site(place, policy, wrong | variables)
    with site.writer() as writer, site.daemon() as daemon:
        writer.record("EVENT")
        site.wait_until("waiting", "Connection refused")

        policy.say(*way_out)
        assert secure.wait_for(lambda peer: bool(peer.accepted))
        assert daemon.stop() == 0
        said = daemon.stderr

    assert not [secret for secret in SECRETS if secret in said]


def test_check_shows_the_proxy_and_hides_its_login(
    place: Place, policy: SitePolicy, bundle: Path
) -> None:
    """In both forms; with the places they come from."""
    site = Site(place, policy, {"FLWR_TELEMETRY_CA_BUNDLE": str(bundle)})
    policy.say(f'proxy = "http://{LOGIN}@proxy.example.org:3128"')

    text, content = site.uploader("check"), site.uploader("check", "--json")

    shown = "http://…@proxy.example.org:3128"
    settings = json.loads(content.stdout)["settings"]
    assert settings["proxy"] == {"value": shown, "origin": POLICY}
    assert settings["ca_bundle"] == {"value": str(bundle), "origin": "environment"}
    assert f"{'proxy':<18} {shown:<45} {POLICY}" in text.stdout.splitlines()
    assert LOGIN not in f"{text}{content}"


@pytest.mark.parametrize("scheme", ["socks5", "http://x:"])
def test_a_proxy_that_is_none_is_refused_without_its_password(
    place: Place, policy: SitePolicy, scheme: str
) -> None:
    """As a policy, a flag and a variable."""
    bad = f"{scheme}://{LOGIN}@proxy.example.org:3128"
    site = Site(place, policy, {})

    by_flag = site.uploader("check", "--proxy", bad)
    site.environ["FLWR_TELEMETRY_PROXY"] = bad
    by_variable = site.uploader("check")
    policy.say(f'proxy = "{bad}"')
    by_policy = site.uploader("check")

    for done, where in (
        (by_flag, "--proxy"),
        (by_variable, "FLWR_TELEMETRY_PROXY"),
        (by_policy, f"{POLICY}: proxy"),
    ):
        assert done.code == os.EX_CONFIG
        assert done.stderr.startswith(f"telemetry-uploader: {where}: must be a URL like http://")
        assert len(done.stderr.splitlines()) == 1
        assert PASSWORD not in done.stderr + done.stdout


@pytest.mark.parametrize("command_", ["once", "check", "run"])
def test_certificates_that_are_not_there_are_one_line(
    place: Place, tmp_path: Path, command_: str
) -> None:
    """It names the setting, the path, the origin, and what to do."""
    path = tmp_path / "gone.pem"
    done = command(UPLOADER, command_, "--ca-bundle", str(path), environ=place.environ)

    assert done.code == os.EX_CONFIG
    assert done.stderr == (
        f"telemetry-uploader: ca_bundle = '{path}' (flag): there is nothing that can be read; "
        "give a PEM file, or a directory made with openssl rehash\n"
    )


def test_certificates_that_vanish_hold_everything_until_they_are_back(
    place: Place, secure: Peer, bundle: Path
) -> None:
    """Nothing is sent without them, not over a connection that is open, and status says why."""
    environ = place.environ | {
        "FLWR_TELEMETRY_ENDPOINT": secure.url,
        "FLWR_TELEMETRY_CA_BUNDLE": str(bundle),
        "FLWR_TELEMETRY_RESCAN_INTERVAL": "0.2",
    }
    spool = place.open()

    def status() -> dict[str, str]:
        content: dict[str, str] = json.loads((place.root / "status.json").read_bytes())
        return content

    with running(UPLOADER, "run", environ=environ) as daemon:
        spool.append(b'{"event_type": "FIRST"}')
        assert secure.wait_for(lambda peer: len(peer.accepted) == 1)
        bundle.unlink()
        spool.append(b'{"event_type": "SECOND"}')
        poll(lambda: status()["activity"] == "held", "the certificates to be missed")
        said = status()
        assert daemon.stop() == 0

    assert str(bundle) in said["reason"]
    assert "check the settings `proxy` and `ca_bundle`" in said["remedy"]
    assert len(secure.accepted) == 1
    assert place.lines() == [b'{"event_type": "SECOND"}']
