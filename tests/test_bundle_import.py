"""Import: a bundle's events are in the spool once; receipts settle what was exported, once."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path

import pytest

from telemetry_spool.bundle import answering, arriving, leaving, outstanding
from telemetry_spool.bundle.answers import BadReceipts
from telemetry_spool.bundle.files import CarryError
from telemetry_spool.ledger import receipts_journal
from telemetry_spool.letters import dead_letter, dead_letter_journal, line_of
from telemetry_spool.paths import Kind, kind_of
from telemetry_spool.placing import place as place_lines
from telemetry_spool.segment import event_id
from telemetry_spool.spool import utc_now
from tests.conftest import Place
from tests.support import carried
from tests.support.carried import event, events


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return where bundles are written."""
    return tmp_path / "out.tar.gz"


@pytest.fixture
def receipts(tmp_path: Path) -> Path:
    """Return where receipts are written."""
    return tmp_path / "back.receipts.jsonl.gz"


@pytest.fixture
def connected(tmp_path: Path) -> Place:
    """Return the telemetry root of the other machine."""
    return Place(tmp_path / "connected")


def export(place: Place, file: Path, *lines: bytes) -> str:
    """Export a bundle with these events; return its id."""
    carried.segment(place, 1, *lines)
    return str(carried.export(place, file).bundle)


def list_outstanding(place: Place) -> list[tuple[int, int]]:
    """Return how many events each bundle left with, and how many are outstanding."""
    return [
        (found.exported, found.outstanding)
        for found in outstanding.outstanding(carried.places(place))
    ]


def test_a_bundle_is_added_once(place: Place, connected: Place, file: Path) -> None:
    """Under new names, in order, after what is there; the second time nothing is added."""
    carried.segment(connected, 1, event(9))
    carried.segment(place, 2, *events(3))
    export(place, file, *events(1, 2))

    assert carried.take_in(connected, file).added
    assert carried.to_send(connected) == events(9, 1, 2, 3)
    assert not carried.take_in(connected, file).added
    assert carried.to_send(connected) == events(9, 1, 2, 3)

    carried.drain(connected)
    assert not carried.take_in(connected, file).added
    assert carried.to_send(connected) == []


def test_events_of_mode_local_may_be_sent_where_they_were_carried(
    place: Place, connected: Place, file: Path
) -> None:
    """Whoever exported them chose that; taken back they are local again."""
    place.open().append(event(1), local=True)
    bundle = str(carried.export(place, file, include_local=True).bundle)

    assert carried.take_in(connected, file).manifest.local_events == 1
    assert carried.to_send(connected) == events(1)

    take_back(place, bundle)
    assert (place.lines(), carried.to_send(place)) == (events(1), [])


def test_a_bundle_is_not_imported_where_it_comes_from(place: Place, file: Path) -> None:
    """Its events would be in two places."""
    export(place, file, *events(1))

    with pytest.raises(CarryError, match="--take-back"):
        carried.take_in(place, file)

    assert place.names() == []


def test_a_check_adds_nothing(place: Place, connected: Place, file: Path) -> None:
    """It reads all of the bundle."""
    export(place, file, *events(1))

    with file.open("rb") as content:
        done = arriving.check(carried.places(connected), content, max_bytes=carried.ROOM)

    assert (done.added, done.manifest.events) == (True, 1)
    assert not connected.root.exists()


def take_back(place: Place, bundle: str) -> outstanding.TakenBack:
    """Return a bundle's events to the spool."""
    return outstanding.take_back(carried.places(place), bundle, max_bytes=carried.ROOM, now=utc_now)


def answer(connected: Place, receipts: Path, bundle: str = "") -> answering.Answered:
    """Write receipts on the connected machine."""
    receipts.unlink(missing_ok=True)
    return answering.answer(carried.places(connected), receipts, bundle, now=utc_now)


def note_receipt(connected: Place, line: bytes) -> None:
    """Do what an uploader does when an event is accepted."""
    record = {"id": event_id(line), "event_type": "T", "date": "D", "sent_at": "S", "endpoint": "E"}
    receipts_journal(carried.places(connected).directories).append([record], utc_now())


def note_letter(connected: Place, line: bytes) -> None:
    """Do what an uploader does when an event is rejected."""
    letter = dead_letter(line, "HTTP 400", utc_now(), status=400, response="<no>")
    dead_letter_journal(carried.places(connected).directories).append([letter], utc_now())


def test_the_whole_way(place: Place, connected: Place, file: Path, receipts: Path) -> None:
    """Accepted, rejected and waiting events each end where they belong."""
    malformed = b"no \xff event"
    bundle = export(place, file, *events(1, 2, 3), malformed)
    carried.take_in(connected, file)
    note_receipt(connected, event(1))
    note_receipt(connected, event(99))
    note_letter(connected, event(2))
    note_letter(connected, malformed)

    said = answer(connected, receipts)
    assert (said.bundles, said.accepted, said.rejected, said.waiting) == (1, 1, 2, 1)
    assert {found["id"] for found in carried.answers_in(receipts)} == {
        event_id(line) for line in (*events(1, 2), malformed)
    }

    done = carried.settle(place, receipts)

    assert (done.accepted, done.rejected, done.outstanding) == (1, 2, {bundle: 1})
    assert carried.exported(place) == events(3)
    (record,) = place.ledger()
    assert record == {
        "id": event_id(event(1)),
        "event_type": "TEST",
        "date": "",
        "sent_at": "S",
        "endpoint": "E",
        "bundle": bundle,
    }
    letters = rejected(place)
    assert [line_of(letter) for letter in letters] == [event(2), malformed]
    assert {(letter["reason"], letter["status"], letter["bundle"]) for letter in letters} == {
        ("HTTP 400", 400, bundle)
    }
    assert list_outstanding(place) == [(4, 1)]

    note_receipt(connected, event(3))
    answer(connected, receipts)
    assert carried.settle(place, receipts).outstanding == {bundle: 0}
    assert list_outstanding(place) == []
    assert list((place.root / "exported").iterdir()) == []
    assert Counter(record["id"] for record in place.ledger()) == {
        event_id(event(1)): 1,
        event_id(event(3)): 1,
    }


def rejected(place: Place) -> list[dict[str, object]]:
    """Return the dead letters."""
    return [
        json.loads(line)
        for path in sorted((place.root / "rejected").glob("*.jsonl"))
        for line in path.read_bytes().splitlines()
    ]


def test_receipts_twice_settle_once(
    place: Place, connected: Place, file: Path, receipts: Path
) -> None:
    """The second time they are about a bundle that is no longer outstanding."""
    export(place, file, *events(1))
    carried.take_in(connected, file)
    note_receipt(connected, event(1))
    answer(connected, receipts)

    assert carried.settle(place, receipts).accepted == 1
    again = carried.settle(place, receipts)

    assert (again.accepted, again.unknown) == (0, 1)
    assert len(place.ledger()) == 1


def test_an_event_that_was_rejected_and_then_accepted_is_accepted(
    place: Place, connected: Place, file: Path, receipts: Path
) -> None:
    """Somebody mended the endpoint and sent it again."""
    export(place, file, *events(1))
    carried.take_in(connected, file)
    note_letter(connected, event(1))
    note_receipt(connected, event(1))

    said = answer(connected, receipts)

    assert (said.accepted, said.rejected, said.waiting) == (1, 0, 0)


def test_receipts_can_be_about_one_bundle(
    place: Place, connected: Place, file: Path, receipts: Path
) -> None:
    """Named by the beginning of its id."""
    first = export(place, file, *events(1))
    other = file.with_name("other.tar.gz")
    second = export(place, other, *events(2))
    for bundle in (file, other):
        carried.take_in(connected, bundle)
    for line in events(1, 2):
        note_receipt(connected, line)

    answer(connected, receipts, second)
    assert [said["bundle"] for said in carried.answers_in(receipts)] == [second]

    with pytest.raises(CarryError, match="no bundle whose id begins with 'x'"):
        answer(connected, receipts, "x")
    assert answer(connected, receipts).bundles == 2
    assert carried.settle(place, receipts).outstanding == {first: 0, second: 0}


def test_ids_may_be_deleted_to_make_room(
    place: Place, connected: Place, file: Path, receipts: Path
) -> None:
    """The bundle stays known; of its events nothing can be said any more."""
    export(place, file, *events(1))
    carried.take_in(connected, file)
    (ids,) = (connected.root / "imported").glob("*/ids")
    ids.unlink()

    assert answer(connected, receipts) == answering.Answered(1, 0, 0, 0)
    assert not carried.take_in(connected, file).added


def test_an_event_in_two_bundles_is_settled_in_both(
    place: Place, connected: Place, file: Path, receipts: Path
) -> None:
    """The same line was recorded twice; it is one event to an endpoint."""
    other = file.with_name("other.tar.gz")
    for bundle in (file, other):
        export(place, bundle, *events(1, 1))
        carried.take_in(connected, bundle)
    note_receipt(connected, event(1))

    answer(connected, receipts)

    assert set(carried.settle(place, receipts).outstanding.values()) == {0}


BUNDLE = "20260310T120000Z-00000000000000ff"
GOOD: list[dict[str, object]] = [
    {"format": "flwr-telemetry-receipts", "version": 1, "created_at": "x"},
    {
        "bundle": BUNDLE,
        "id": event_id(event(1)),
        "accepted": True,
        "at": "2026-03-11T08:00:00+00:00",
        "endpoint": "https://e",
    },
    {"answers": 1},
]


def packed(*lines: dict[str, object]) -> bytes:
    """Return a file of receipts with these lines."""
    return gzip.compress(b"".join(json.dumps(line).encode() + b"\n" for line in lines))


HOSTILE = {
    "no last line": packed(*GOOD[:2]),
    "a last line that counts wrongly": packed(*GOOD[:2], {"answers": 2}),
    "more behind the last line": packed(*GOOD, GOOD[1]),
    "no header": packed(*GOOD[1:]),
    "a newer version": packed(GOOD[0] | {"version": 2}, *GOOD[1:]),
    "cut off": packed(*GOOD)[:-9],
    "a flipped bit": packed(*GOOD)[:60] + b"\0\0" + packed(*GOOD)[62:],
    "a line without end": gzip.compress(b"{" + b" " * 2**20),
    "a line that is no object": gzip.compress(json.dumps(GOOD[0]).encode() + b"\n[]\n"),
    "a verdict that is no boolean": packed(GOOD[0], GOOD[1] | {"accepted": "yes"}, GOOD[2]),
    "an id that is none": packed(GOOD[0], GOOD[1] | {"id": "../x"}, GOOD[2]),
    "a bundle that is none": packed(GOOD[0], GOOD[1] | {"bundle": "../x"}, GOOD[2]),
    "a reason that is no text": packed(GOOD[0], GOOD[1] | {"reason": []}, GOOD[2]),
    "a reason without end": packed(GOOD[0], GOOD[1] | {"reason": "x" * 50_000}, GOOD[2]),
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE.keys())
def test_receipts_that_are_not_whole_settle_nothing(
    place: Place, file: Path, receipts: Path, content: bytes
) -> None:
    """They are read to their end before anything is done."""
    outbox = place.root / "exported" / export(place, file, *events(1))
    outbox.rename(outbox.with_name(BUNDLE))
    receipts.write_bytes(content)

    with pytest.raises(BadReceipts) as refused:
        carried.settle(place, receipts)

    assert str(refused.value).isprintable()
    assert carried.exported(place) == events(1)
    assert place.ledger() == []


def test_the_good_ones_are_good(place: Place, file: Path, receipts: Path) -> None:
    """What is wrong with the others is what is changed in them."""
    outbox = place.root / "exported" / export(place, file, *events(1))
    outbox.rename(outbox.with_name(BUNDLE))
    receipts.write_bytes(packed(*GOOD))

    assert carried.settle(place, receipts).outstanding == {BUNDLE: 0}


def test_receipts_settle_only_what_is_outstanding(place: Place, file: Path, receipts: Path) -> None:
    """An answer about an event that the bundle never had makes no record."""
    bundle = export(place, file, *events(1))
    answers = (carried.answer(bundle, event(number), accepted=True) for number in (1, 7))
    carried.write_receipts(receipts, *answers)

    carried.settle(place, receipts)

    assert [record["id"] for record in place.ledger()] == [event_id(event(1))]


def test_a_lost_bundle_is_taken_back(place: Place, file: Path) -> None:
    """It may have been imported after all, so the answer says so; each event is there once."""
    bundle = export(place, file, *events(1, 2))

    done = take_back(place, bundle[:20])

    assert (done.events, done.written) == (2, True)
    assert carried.to_send(place) == events(1, 2)
    assert list_outstanding(place) == []


def test_what_the_user_released_is_released_when_it_is_taken_back(place: Place, file: Path) -> None:
    """It is sent in mode `local` then, too, as the user wanted."""
    place_lines(str(place.spool), [event(1)], released=True)
    bundle = str(carried.export(place, file).bundle)

    take_back(place, bundle)

    (name,) = place.names()
    assert kind_of(name) is Kind.RELEASED


def test_what_is_settled_is_not_taken_back(place: Place, file: Path, receipts: Path) -> None:
    """Only the rest."""
    bundle = export(place, file, *events(1, 2))
    carried.write_receipts(receipts, carried.answer(bundle, event(1), accepted=True))
    carried.settle(place, receipts)

    assert take_back(place, bundle).events == 1
    assert carried.to_send(place) == events(2)


def test_old_progress_is_not_about_what_was_taken_back(place: Place, file: Path) -> None:
    """A crash may leave the progress of the segment that was exported."""
    bundle = export(place, file, *events(1, 2))
    (segment,) = (place.root / "exported").glob("*/*.jsonl")
    (place.spool / segment.with_suffix(".acked").name).write_text(f"{len(event(1)) + 1}\n")

    take_back(place, bundle)

    assert carried.to_send(place) == events(1, 2)


def test_taking_back_needs_room(place: Place, file: Path) -> None:
    """Otherwise the next event would push the oldest ones out."""
    bundle = export(place, file, *events(1))

    with pytest.raises(CarryError, match="max_spool_bytes"):
        outstanding.take_back(carried.places(place), bundle, max_bytes=10, now=utc_now)

    assert (carried.exported(place), place.names()) == (events(1), [])


def test_an_unknown_bundle_is_named(place: Place) -> None:
    """With the command that shows all."""
    with pytest.raises(CarryError, match="export --list"):
        take_back(place, "x")


def test_a_lost_bundle_can_be_written_again(place: Place, connected: Place, file: Path) -> None:
    """Under the same id: if the first one arrived after all, nothing is added."""
    bundle = export(place, file, *events(1, 2))
    carried.take_in(connected, file)
    again = file.with_name("again.tar.gz")

    leaving.export_again(carried.places(place), again, bundle)

    assert again.read_bytes() == file.read_bytes()
    assert not carried.take_in(connected, again).added
    assert carried.exported(place) == events(1, 2)
