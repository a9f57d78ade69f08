"""`telemetry-spool audit`: what is not as documented, what looks personal, and an exit code."""

from __future__ import annotations

import getpass
import json
import os
from pathlib import Path
from typing import Any

import pytest

from telemetry_spool.segment import event_id
from tests.conftest import Place
from tests.e2e.conftest import Site
from tests.support.processes import Ended
from tests.test_conformity import whole_event

NOTHING = "nothing personal or undocumented"


def line(**details: object) -> bytes:
    """Return an event that is as documented but for these details."""
    return json.dumps(whole_event() | {"event_details": details}).encode()


CLEAN = line()


@pytest.fixture
def site(place: Place) -> Site:
    """Return a site whose endpoint nobody asks."""
    return Site(place, "http://127.0.0.1:9/")


def rows(ended: Ended) -> list[dict[str, Any]]:
    """Return what `--json` printed."""
    assert ended.stderr == ""
    return [json.loads(row) for row in ended.stdout.splitlines()]


def test_clean_events_end_with_0_and_what_is_on_no_page_is_named(site: Site) -> None:
    """There is nothing to do about it, but it is said."""
    site.record([CLEAN])
    site.record([CLEAN], local=True)

    ended = site.telemetry_spool("audit")

    assert ended == Ended(
        0,
        f"2 events, {NOTHING}.\nSent by Flower, on none of its pages: "
        "context.partner, context.date, context.platform.python_implementation.\n",
        "",
    )


def test_an_empty_spool_is_clean(site: Site) -> None:
    """And none is made."""
    assert site.telemetry_spool("audit") == Ended(0, f"0 events, {NOTHING}.\n", "")
    assert not site.place.root.exists()


def test_what_looks_personal_is_marked_differently_from_what_is_undocumented(site: Site) -> None:
    """With the words that look so, below the event they are in."""
    bad = line(note="ask bob@example.org")
    site.record([CLEAN, bad])

    ended = site.telemetry_spool("audit")

    assert ended.code == 1
    assert ended.stdout.splitlines()[:4] == [
        f"{event_id(bad)[:12]}  pending  PYTHON_API_RUN_SIMULATION_ENTER",
        "  personal      event_details.note looks like an e-mail address: 'bob@example.org'",
        "  undocumented  event_details.note is a field that Flower is not known to send",
        "2 events: 1 with something personal, 1 with something undocumented.",
    ]


def test_this_user_and_this_machine_are_found(site: Site) -> None:
    """Planted as a careless program would."""
    planted = {
        "user": getpass.getuser(),
        "host": os.uname().nodename,
        "path": str(Path.home() / "data"),
        "ip": "192.168.7.9",
        "mac": "02:42:0a:00:00:02",
    }
    site.record([line(**planted)])

    (row,) = rows(site.telemetry_spool("audit", "--json"))

    personal = {each["path"] for each in row["findings"] if each["kind"] == "personal"}
    assert personal == {f"event_details.{name}" for name in planted}


def test_as_json_each_event_is_a_line(site: Site) -> None:
    """Also the clean ones, with everything that was found."""
    bad = line(lr=0.1)
    site.record([CLEAN, bad])

    ended = site.telemetry_spool("audit", "--json")

    clean, other = rows(ended)
    assert ended.code == 1
    assert (clean["id"], clean["clean"], clean["state"]) == (event_id(CLEAN), True, "pending")
    assert {each["kind"] for each in clean["findings"]} == {"off-page"}
    assert (other["id"], other["clean"]) == (event_id(bad), False)
    assert other["findings"][0] == {
        "kind": "undocumented",
        "path": "event_details.lr",
        "problem": "is a field that Flower is not known to send",
    }


def test_chosen_events_are_audited_alone(site: Site) -> None:
    """By the beginning of their ids."""
    site.record([CLEAN, line(lr=0.1)])

    assert site.telemetry_spool("audit", event_id(CLEAN)[:12]).code == 0
    unknown = site.telemetry_spool("audit", "zzz")
    assert (unknown.code, unknown.stdout) == (1, "")
    assert "no event 'zzz'" in unknown.stderr


def test_a_line_that_is_no_event_is_a_finding(site: Site) -> None:
    """The others are audited all the same."""
    site.record([b"RUN", b"[1]", b"\xff", b'{"a": ' * 3000, CLEAN])

    found = rows(site.telemetry_spool("audit", "--json"))

    assert [row["clean"] for row in found] == [False] * 4 + [True]
    assert found[1]["findings"] == [
        {"kind": "undocumented", "path": "", "problem": "is not one JSON object"}
    ]


def test_what_is_found_cannot_steer_the_terminal(site: Site) -> None:
    """Keys and values come from anywhere."""
    hostile = "\x1b]0;owned\x07\r\n\u202e"
    site.record([line(**{hostile: f"/home/{hostile}x", "b": f"/home/bob{hostile}"})])

    ended = site.telemetry_spool("audit")

    assert ended.code == 1
    assert all(character.isprintable() for character in ended.stdout.replace("\n", ""))


def test_a_long_finding_is_cut(site: Site) -> None:
    """A line of a terminal is read, a page of it is not."""
    site.record([line(note="ghp_" + "a1B2" * 50)])

    shown = site.telemetry_spool("audit").stdout.splitlines()[1]

    assert shown.endswith("…'")
    assert len(shown) < 140
