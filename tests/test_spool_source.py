"""`telemetry-spool source`: see the id, change it, and have everything under it forgotten."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from telemetry_spool.forgetting import deletion_request
from telemetry_spool.letters import dead_letter, dead_letter_journal
from telemetry_spool.paths import Directories
from telemetry_spool.segment import event_id
from tests.conftest import Place
from tests.e2e.conftest import Site
from tests.support.events import event

MINE, OTHER = "0b0f4d0e-6f1c-4e0b-9c71-2f7a4b1f8f10", "7c9e6679-7425-40de-944b-e07fc1f90ae7"
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
SENT = event("SENT", source=MINE)


@pytest.fixture
def source_file() -> Path:
    """Return the file of the source id, with one in it."""
    file = Path(os.environ["FLWR_HOME"]) / "source"
    file.parent.mkdir(parents=True)
    file.write_text(MINE)
    return file


@pytest.fixture
def site(place: Place) -> Site:
    """Return a site with events of two sources in every state."""
    site = Site(place, "http://127.0.0.1:9/")
    site.record([event("A", source=MINE), event("B", source=OTHER)])
    site.record([event("C", source=MINE)], local=True)
    letters = [dead_letter(event("D", source=each), "no", NOON) for each in (MINE, OTHER)]
    dead_letter_journal(Directories(place.root, place.spool)).append(letters, NOON)
    receipts = place.root / "receipts" / "2026-03-10.jsonl"
    receipts.parent.mkdir()
    kept = event("E", source=OTHER)
    receipts.write_text(
        "".join(
            json.dumps({"id": event_id(line), "event_type": "E", "event": line.decode()}) + "\n"
            for line in (SENT, kept)
        )
    )
    return site


def test_show_names_the_id_its_file_and_its_events(site: Site, source_file: Path) -> None:
    """What is here under it, by state."""
    assert site.telemetry_spool("source", "show").stdout.splitlines() == [
        f"source     {MINE}",
        f"file       {source_file}",
        "pending    1 event with it",
        "local      1 event with it",
        "rejected   1 event with it",
    ]
    assert json.loads(site.telemetry_spool("source", "show", "--json").stdout) == {
        "source": MINE,
        "file": str(source_file),
        "events": {"pending": 1, "local": 1, "rejected": 1},
    }


def test_show_makes_no_id(site: Site) -> None:
    """Looking is not recording."""
    shown = site.telemetry_spool("source", "show").stdout

    assert shown.startswith("source     unavailable\n")
    assert not Path(os.environ["FLWR_HOME"]).exists()


def test_reset_deletes_the_id(site: Site, source_file: Path) -> None:
    """The events stay; a second time there is nothing to delete."""
    before = site.place.lines()

    assert site.telemetry_spool("source", "reset").stdout.startswith(f"Deleted {source_file}. ")
    assert not source_file.exists()
    assert site.place.lines() == before
    again = site.telemetry_spool("source", "reset")
    assert (again.code, again.stdout) == (0, f"There is no source id in {source_file}.\n")


def test_forget_deletes_everything_under_the_id(site: Site, source_file: Path) -> None:
    """Here: in the spool, among the dead letters, the content in receipts, and the id itself."""
    ended = site.telemetry_spool("source", "forget", "--yes")

    assert (ended.code, ended.stderr) == (0, "")
    assert ended.stdout.startswith("Deleted 3 events.\n")
    assert not source_file.exists()
    everything = b"".join(path.read_bytes() for path in site.place.root.rglob("*.jsonl"))
    assert MINE.encode() not in everything
    assert everything.count(OTHER.encode()) == 3
    receipts = [record for record in site.place.ledger() if "id" in record]
    assert ["event" in receipt for receipt in receipts] == [False, True]


def test_forget_writes_the_deletion_request(site: Site, source_file: Path) -> None:
    """To the address that Flower's page names, with the id that is forgotten."""
    shown = site.telemetry_spool("source", "forget", "--yes", OTHER.upper()).stdout

    assert "To: telemetry@flower.ai\nSubject: Deletion of telemetry events\n" in shown
    assert f"    {OTHER}\n" in shown
    assert source_file.read_text() == MINE, "the id in use is another one"


def test_the_request_can_be_opened_by_a_mail_program() -> None:
    """With address, subject and body filled in."""
    url = urlsplit(deletion_request(MINE).url)

    assert (url.scheme, url.path) == ("mailto", "telemetry@flower.ai")
    filled = parse_qs(url.query)
    assert filled["subject"] == ["Deletion of telemetry events"]
    assert MINE in filled["body"][0]


def test_forget_without_an_id_is_refused(site: Site) -> None:
    """Events of "unavailable" sources are of nobody in particular."""
    before = site.place.lines()

    ended = site.telemetry_spool("source", "forget", "--yes")

    assert (ended.code, ended.stdout) == (1, "")
    assert ended.stderr.endswith("source: name the one to forget\n")
    assert site.place.lines() == before
