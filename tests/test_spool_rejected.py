"""`telemetry-spool rejected`: dead letters come back byte for byte, or go."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime

import pytest

from telemetry_spool.letters import dead_letter, dead_letter_journal
from telemetry_spool.paths import Directories
from telemetry_spool.segment import event_id
from tests.conftest import Place
from tests.e2e.conftest import Site
from tests.support.events import event

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
REFUSED = event("REFUSED")
COMPACT = b'{"event_type":"COMPACT"}'
BROKEN = b"RUN \xff\x00"
LETTERS = {"REFUSED": REFUSED, "COMPACT": COMPACT, "(not an event)": BROKEN}


@pytest.fixture
def site(place: Place) -> Site:
    """Return a site with three dead letters."""
    journal = dead_letter_journal(Directories(place.root, place.spool))
    journal.append(
        [
            dead_letter(body, "HTTP 422", NOON, status=422, response="no")
            for body in LETTERS.values()
        ],
        NOON,
    )
    return Site(place, "http://127.0.0.1:9/")


def left(site: Site) -> set[str]:
    """Return the ids of the dead letters."""
    rows = site.telemetry_spool("rejected", "list", "--json").stdout.splitlines()
    return {json.loads(row)["id"] for row in rows}


def test_list_and_show_tell_the_reason(site: Site) -> None:
    """In a row, and with what was answered."""
    rows = site.telemetry_spool("rejected", "list").stdout.splitlines()
    assert [row.split("rejected  ")[1] for row in rows] == [f"{name}: HTTP 422" for name in LETTERS]

    assert json.loads(site.telemetry_spool("rejected", "show", event_id(REFUSED)[:9]).stdout) == {
        "id": event_id(REFUSED),
        "reason": "HTTP 422",
        "status": 422,
        "response": "no",
        "rejected_at": NOON.isoformat(),
        "content": json.loads(REFUSED),
    }
    shown = json.loads(site.telemetry_spool("rejected", "show", event_id(BROKEN)).stdout)
    assert shown["content"].encode("utf-8", "surrogateescape") == BROKEN


def test_retry_puts_the_exact_bytes_back(site: Site) -> None:
    """All of them, into one sealed segment; a second time there is nothing."""
    ended = site.telemetry_spool("rejected", "retry", "--all")

    assert (ended.code, ended.stdout, ended.stderr) == (0, "Back in the spool: 3 events.\n", "")
    (segment,) = site.place.sealed()
    assert segment.read_bytes() == b"".join(body + b"\n" for body in LETTERS.values())
    assert left(site) == set()
    assert site.telemetry_spool("rejected", "retry", "--all").stdout == (
        "There is nothing to send again.\n"
    )


def test_retry_and_drop_take_only_what_is_named(site: Site) -> None:
    """By the beginnings of ids."""
    assert site.telemetry_spool("rejected", "retry", event_id(COMPACT)[:9]).code == 0
    assert site.place.lines() == [COMPACT]
    assert left(site) == {event_id(REFUSED), event_id(BROKEN)}

    assert site.telemetry_spool("rejected", "drop", "--yes", event_id(REFUSED)).code == 0
    assert left(site) == {event_id(BROKEN)}
    assert site.place.lines() == [COMPACT]
    assert [record["removed"] for record in site.place.ledger()] == [1]


@pytest.mark.parametrize("arguments", [["retry"], ["drop", "--yes", "--all", "3f2a91"]], ids=str)
def test_what_is_meant_has_to_be_said(site: Site, arguments: list[str]) -> None:
    """Ids, or all."""
    ended = site.telemetry_spool("rejected", *arguments)

    assert (ended.code, ended.stderr) == (
        os.EX_USAGE,
        "telemetry-spool: name ids from telemetry-spool rejected list, or say --all\n",
    )
    assert len(left(site)) == 3


def test_a_retry_that_finds_no_room_keeps_the_letters(site: Site) -> None:
    """One line, and nothing is half done."""
    site.place.spool.write_bytes(b"in the way")

    ended = site.telemetry_spool("rejected", "retry", "--all")

    assert (ended.code, ended.stdout) == (1, "")
    assert len(ended.stderr.splitlines()) == 1
    assert len(left(site)) == 3
