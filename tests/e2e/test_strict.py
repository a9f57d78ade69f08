"""With `strict`, only what Flower is known to send leaves the machine by itself."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from telemetry_spool.letters import line_of
from telemetry_spool.segment import event_id
from tests.e2e.conftest import Site, bodies
from tests.support.endpoint import Endpoint
from tests.test_conformity import whole_event


def line(**details: object) -> bytes:
    """Return an event that is as documented but for these details."""
    return json.dumps(whole_event() | {"event_details": details}).encode()


CLEAN = [line(success=True), line(backend="ray")]
ODD = [line(note="bob@example.org"), line(dataset_name="/home/bob/mnist"), line(lr=0.1)]


@pytest.fixture
def strict(site: Site) -> Site:
    """Return a site whose uploader is strict."""
    site.set(strict="true")
    return site


def test_only_clean_events_are_sent(strict: Site, endpoint: Endpoint) -> None:
    """The others are set aside with the reason, whole, and nothing is left in the spool."""
    strict.record([ODD[0], CLEAN[0], *ODD[1:], CLEAN[1]])

    assert strict.uploader("once").code == 0

    assert bodies(endpoint) == Counter(CLEAN)
    assert strict.place.names() == ["uploader.lock"]
    letters = strict.rejected()
    assert [line_of(letter) for letter in letters] == ODD
    assert [letter["reason"].partition(" ")[0] for letter in letters] == ["strict:"] * 3
    assert letters[1]["reason"] == "strict: event_details.dataset_name looks like a home directory"


def test_the_log_does_not_repeat_what_looks_personal(strict: Site) -> None:
    """Logs may leave the machine."""
    with strict.daemon() as daemon:
        strict.record(ODD)
        strict.wait_until_drained()

    assert "strict: event_details.note looks like an e-mail address" in daemon.stderr
    assert "bob" not in daemon.stderr


def test_a_daemon_holds_what_comes(strict: Site, endpoint: Endpoint) -> None:
    """Between events that it sends."""
    with strict.daemon():
        strict.record([ODD[0], CLEAN[0]])
        endpoint.wait_for(1, accepted=True)
        strict.wait_until_drained()
        strict.record([CLEAN[1], ODD[1]])
        endpoint.wait_for(2, accepted=True)
        strict.wait_until_drained()

    assert bodies(endpoint) == Counter(CLEAN)
    assert len(strict.rejected()) == 2


def test_what_is_let_go_is_sent(strict: Site, endpoint: Endpoint) -> None:
    """That event, once: recorded again, it is held again."""
    with strict.daemon():
        strict.record(ODD[:2])
        strict.wait_until_drained()

        ended = strict.telemetry_spool("rejected", "retry", event_id(ODD[0]))
        assert (ended.code, ended.stdout) == (0, "Back in the spool: 1 event.\n")
        strict.record(ODD[:1])
        endpoint.wait_for(1, accepted=True)
        strict.wait_until_drained()

    assert bodies(endpoint) == Counter(ODD[:1])
    assert [line_of(letter) for letter in strict.rejected()] == [ODD[1], ODD[0]]


def test_without_strict_everything_is_sent(site: Site, endpoint: Endpoint) -> None:
    """As Flower would."""
    site.record([*CLEAN, *ODD])

    assert site.uploader("once").code == 0

    assert bodies(endpoint) == Counter([*CLEAN, *ODD])
    assert not site.rejected()
