"""A policy that comes, changes and goes while writers and an uploader run."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from telemetry_spool.consent import Mode, choose
from telemetry_spool.paths import POLICY_FILE, mode_file
from tests.conftest import Place
from tests.policy.conftest import Site
from tests.support.endpoint import CREATED, Answer, Endpoint, Request
from tests.support.processes import poll

POLICY = f"site policy {POLICY_FILE}"


def test_a_running_writer_obeys_from_its_next_event_on(site: Site) -> None:
    """Recorded, kept here, not recorded, not recorded under nonsense, and recorded again."""
    with site.writer() as writer:
        writer.record("BEFORE")
        site.policy.say('mode = "local"')
        writer.record("LOCAL")
        site.policy.say('mode = "off"')
        writer.record("OFF")
        site.policy.say('mode = "offf"')
        writer.record("BROKEN")
        site.policy.say('mdoe = "off"')
        writer.record("MISSPELT")
        site.policy.say('mode = "on"', 'endpoint = "https://telemetry.example.org/"')
        writer.record("ON")
        site.policy.withdraw()
        writer.record("AFTER")

    assert site.types() == {"active": ["BEFORE", "ON", "AFTER"], "local": ["LOCAL"]}


def test_the_users_choice_may_be_more_private(site: Site) -> None:
    """A policy caps; it does not turn anything on."""
    path = mode_file()
    assert path is not None
    with site.writer() as writer:
        site.policy.say('mode = "local"')
        for mode in (Mode.ON, Mode.OFF, Mode.LOCAL):
            choose(path, mode)
            writer.record(mode.name)
        site.policy.say('mode = "on"')
        choose(path, Mode.OFF)
        writer.record("OFF UNDER ON")

    assert site.types() == {"local": ["ON", "LOCAL"]}


def test_a_policy_that_a_writer_may_not_read_means_off(site: Site, reachable: Path) -> None:
    """And not that there is none."""
    home = {name: str(reachable) for name in ("HOME", "XDG_CONFIG_HOME", "XDG_CONFIG_DIRS")}
    site = Site(Place(reachable / "telemetry"), site.policy, home)
    with site.writer(unprivileged=True) as writer:
        writer.record("BEFORE")
        site.policy.say('mode = "on"')
        writer.record("READABLE")
        site.policy.file.chmod(0o600)
        writer.record("FILE CLOSED")
        site.policy.file.parent.chmod(0o700)
        writer.record("DIRECTORY CLOSED")

    assert site.types() == {"active": ["BEFORE", "READABLE"]}


def test_a_running_writer_follows_the_policys_spool(site: Site) -> None:
    """Else the uploader, which does too, would never find what it records."""
    moved = Place(site.place.root.parent / "moved")
    with site.writer() as writer:
        writer.record("BEFORE")
        site.policy.say(f'dir = "{moved.root}"')
        writer.record("UNDER")

    assert site.types() == {"active": ["BEFORE"]}
    assert [event["event_type"] for event in moved.events()] == ["UNDER"]


@pytest.mark.parametrize("mode", ["local", "off"])
def test_no_request_of_a_running_uploader_follows_a_no(
    site: Site, endpoint: Endpoint, mode: str
) -> None:
    """What is under way ends; the rest goes when the policy does."""
    released = threading.Semaphore(0)

    def hold(_: Request) -> Answer:
        released.acquire()
        return CREATED

    endpoint.answer = hold
    site.environ["FLWR_TELEMETRY_CONCURRENCY"] = "1"
    with site.writer() as writer:
        for number in range(10):
            writer.record(f"EVENT {number}")
    with site.daemon() as daemon:
        released.release(2)
        assert endpoint.wait_for(3)

        site.policy.say(f'mode = "{mode}"')
        released.release(10)
        assert endpoint.wait_for(3, accepted=True)
        site.wait_until("paused", f"mode {mode}: {POLICY} allows at most {mode}")
        assert len(endpoint.requests) == 3

        site.policy.withdraw()
        assert endpoint.wait_for(10, accepted=True)
        poll(lambda: site.place.names() == ["uploader.lock"], "an empty spool")
        assert daemon.stop() == 0

    assert len(endpoint.requests) == 10


def test_a_running_uploader_sends_where_the_policy_says(
    site: Site, endpoint: Endpoint, other_endpoint: Endpoint
) -> None:
    """From its next request on, whatever its flags say; and back when the policy goes."""
    with site.writer() as writer, site.daemon("--endpoint", endpoint.url) as daemon:
        writer.record("FIRST")
        assert endpoint.wait_for(1, accepted=True)
        site.wait_until("idle")

        site.policy.say(f'endpoint = "{other_endpoint.url}"')
        writer.record("SECOND")
        assert other_endpoint.wait_for(1, accepted=True)

        site.policy.withdraw()
        writer.record("THIRD")
        assert endpoint.wait_for(2, accepted=True)
        assert daemon.stop() == 0

    sent = [request.json()["event_type"] for request in endpoint.requests]
    forced = [request.json()["event_type"] for request in other_endpoint.requests]
    assert (sent, forced) == (["FIRST", "THIRD"], ["SECOND"])


@pytest.mark.parametrize(
    ("line", "activity", "because"),
    [
        ('endpoint = "ftp://example.org/"', "held", "the site policy has changed"),
        ('endpiont = "https://example.org/"', "paused", f"{POLICY}: unknown setting 'endpiont'"),
        ('mode = "no"', "paused", f"{POLICY}: mode = 'no': must be on, local or off"),
    ],
)
def test_a_running_uploader_sends_nothing_under_a_policy_that_it_does_not_understand(
    site: Site, endpoint: Endpoint, line: str, activity: str, because: str
) -> None:
    """It neither ends nor goes on as before: it waits until the policy is mended."""
    with site.writer() as writer, site.daemon() as daemon:
        writer.record("BEFORE")
        assert endpoint.wait_for(1, accepted=True)
        site.wait_until("idle")

        site.policy.say(line)
        site.wait_until(activity, because)
        if activity == "held":
            writer.record("MEANWHILE")
            assert "telemetry-uploader check" in site.heartbeat()["remedy"]

        site.policy.say('mode = "on"')
        writer.record("AFTER")
        poll(lambda: site.place.names() == ["uploader.lock"], "an empty spool")
        assert daemon.stop() == 0

    sent = [request.json()["event_type"] for request in endpoint.requests]
    assert sent[0] == "BEFORE"
    assert set(sent[1:]) == ({"MEANWHILE", "AFTER"} if activity == "held" else {"AFTER"})
