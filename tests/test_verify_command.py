"""`telemetry-spool verify`: every line of every file, and where a bad one is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import Place
from tests.e2e.conftest import Site, line, lines
from tests.support.processes import Ended

LETTER = {"reason": "HTTP 422", "status": 422, "response": "", "event": {"event_type": "PING"}}
RECEIPT = {"id": "a" * 64, "event_type": "PING", "date": "", "sent_at": "", "endpoint": ""}
LOSS = {"lost": 3, "reason": "the disk was full", "lost_at": ""}


@pytest.fixture
def site(place: Place) -> Site:
    """Return a site whose endpoint nobody asks."""
    return Site(place, "http://127.0.0.1:9/")


def write(path: Path, *records: object) -> Path:
    """Write a file of JSON lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def test_where_all_is_well_it_ends_with_0(site: Site) -> None:
    """And says how much it has read."""
    site.record(lines(range(3)))
    site.record(lines(range(2)), local=True)
    write(site.place.root / "rejected" / "2026-03-10.jsonl", LETTER, LETTER | {"raw": "x"})
    write(site.place.root / "receipts" / "2026-03-10.jsonl", RECEIPT, LOSS)

    assert site.telemetry_spool("verify") == Ended(0, "9 lines in 4 files: all good.\n", "")
    assert site.telemetry_spool("verify", "--json") == Ended(0, "", "")


def test_a_ledger_that_tells_of_a_deletion_is_well(site: Site) -> None:
    """What a person deleted is in it, too."""
    site.record(lines(range(2)))
    assert site.telemetry_spool("purge", "--all", "--yes").code == 0

    assert site.telemetry_spool("verify") == Ended(0, "1 line in 1 file: all good.\n", "")


def test_without_a_spool_there_is_nothing_wrong(site: Site) -> None:
    """And none is made."""
    assert site.telemetry_spool("verify") == Ended(0, "0 lines in 0 files: all good.\n", "")
    assert not site.place.root.exists()


def test_a_bad_line_is_named_by_file_and_offset(site: Site) -> None:
    """In active and sealed segments; the lines around it are read."""
    good = line(0)
    site.record([good, b"RUN", good])
    sealed = site.place.spool / "20260310T120000Z-0123456789abcdef.jsonl"
    sealed.write_bytes(b"[1]\n" + good + b"\n" + good[:20])

    ended = site.telemetry_spool("verify", "--json")

    assert (ended.code, ended.stderr) == (1, "")
    found = [json.loads(row) for row in ended.stdout.splitlines()]
    assert [(Path(each["file"]).name, each["offset"]) for each in found] == [
        (sealed.name, 0),
        (sealed.name, len(good) + 5),
        (site.place.active().name, len(good) + 1),
    ]
    assert found[0]["problem"] == "not one JSON object"
    assert site.telemetry_spool("verify").stdout.endswith("6 lines in 2 files: 3 bad.\n")


def test_what_is_sent_already_is_read_too(site: Site) -> None:
    """Progress says what was delivered, not that the file is whole."""
    sealed = site.place.spool / "20260310T120000Z-0123456789abcdef.jsonl"
    site.place.spool.mkdir(parents=True)
    sealed.write_bytes(b"RUN\n")
    sealed.with_suffix(".acked").write_bytes(b"4\n")

    assert site.telemetry_spool("verify").code == 1


@pytest.mark.parametrize(
    ("name", "problem"),
    [("rejected", "no dead letter"), ("receipts", "neither a receipt nor a loss")],
)
@pytest.mark.parametrize("record", [1, {}, [], {"event_type": "PING"}])
def test_dead_letters_and_receipts_are_read(
    site: Site, name: str, problem: str, record: object
) -> None:
    """Each must be of its kind."""
    good = LETTER if name == "rejected" else RECEIPT
    path = write(site.place.root / name / "2026-03-10.jsonl", good, record)

    ended = site.telemetry_spool("verify")

    offset = len(json.dumps(good)) + 1
    assert ended.code == 1
    assert ended.stdout.splitlines()[0] == f"{path} at byte {offset}: {problem}"


def test_a_file_that_cannot_be_read_is_named(site: Site) -> None:
    """And the rest is read."""
    site.record([line(0)])
    directory = site.place.root / "receipts" / "2026-03-10.jsonl"
    directory.mkdir(parents=True)

    ended = site.telemetry_spool("verify", "--json")

    assert ended.code == 1
    assert json.loads(ended.stdout) == {
        "file": str(directory),
        "offset": None,
        "problem": "cannot be read: Is a directory",
    }


def test_a_bad_line_cannot_steer_the_terminal(site: Site) -> None:
    """Its problem may quote it."""
    site.record([b'{"a": "\x1b]0;owned\x07"}'])

    shown = site.telemetry_spool("verify").stdout

    assert all(character.isprintable() for character in shown.replace("\n", ""))
