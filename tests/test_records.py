"""What the uploader writes down: receipts, and dead letters that give back the exact bytes."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from telemetry_spool.letters import dead_letter, dead_letter_journal, line_of
from telemetry_spool.paths import Directories
from telemetry_spool.segment import event_id
from tests.conftest import Place
from uploader.manifest import Entry, Listed
from uploader.pieces import Piece
from uploader.records import Receipts

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
ENDPOINT = "https://telemetry.example.org/api/v1/event"


def directories(place: Place) -> Directories:
    """Return where the uploader of this place writes."""
    return Directories(place.root, place.spool)


def read(directory: Path) -> list[dict[str, Any]]:
    """Return every record in a journal's directory."""
    return [
        json.loads(line)
        for path in sorted(directory.iterdir())
        for line in path.read_bytes().splitlines()
    ]


@pytest.mark.parametrize(
    ("data", "key"),
    [
        pytest.param(b'{"event_type": "RUN", "n": [1, 2.5, null]}', "event", id="as json.dumps"),
        pytest.param(b'{"u": "\\u00fc\\ud83d\\ude00"}', "event", id="escaped"),
        pytest.param(b'{"half": "\\ud800"}', "event", id="half a surrogate pair, escaped"),
        pytest.param(b'{"n": NaN, "i": Infinity}', "event", id="numbers that only Python knows"),
        pytest.param(b'{"n": 1e400, "x": 1}', "raw", id="number that is too large"),
        pytest.param(b'{"n": 1.10}', "raw", id="number in other digits"),
        pytest.param(b'{"a":1}', "raw", id="compact"),
        pytest.param(b' {"a": 1}\t', "raw", id="white space"),
        pytest.param('{"u": "ü"}'.encode(), "raw", id="UTF-8"),
        pytest.param(b'{"a": 1, "a": 1}', "raw", id="key twice"),
        pytest.param(b"[1, 2]", "event", id="no object"),
        pytest.param(b"RUN", "raw", id="no JSON"),
        pytest.param(b'{"a": 1}{"b": 2}', "raw", id="two objects"),
        pytest.param(b"\xff\xfe{}\x00\r\x80", "raw", id="no UTF-8"),
        pytest.param(b"\xed\xa0\x80", "raw", id="a surrogate as if it were UTF-8"),
        pytest.param(b"\x00" * 100, "raw", id="zeros"),
        pytest.param(b"", "raw", id="nothing"),
        pytest.param(b'{"a": ' * 1000 + b"1" + b"}" * 1000, "raw", id="nested deep"),
    ],
)
def test_a_dead_letter_gives_back_the_exact_bytes(place: Place, data: bytes, key: str) -> None:
    """As an object where that is exact, as text where it is not."""
    journal = dead_letter_journal(directories(place))

    journal.append([dead_letter(data, "why", NOON)], NOON)

    (letter,) = read(place.root / "rejected")
    assert line_of(letter) == data
    assert set(letter) == {"reason", "status", "response", "rejected_at", key}


@pytest.mark.parametrize("depth", [100, 500, *range(930, 1000), 5000])
def test_a_dead_letter_of_any_depth_can_be_written(place: Place, depth: int) -> None:
    """It is put together in one place and written in another, where the stack may be deeper."""
    data = b'{"a": ' * depth + b"1" + b"}" * depth
    journal = dead_letter_journal(directories(place))

    def write(frames: int) -> None:
        if frames:
            write(frames - 1)
        else:
            journal.append([letter], NOON)

    letter = dead_letter(data, "why", NOON)
    write(20)

    (written,) = read(place.root / "rejected")
    assert line_of(written) == data


def test_a_dead_letter_says_why_and_when(place: Place) -> None:
    """Reason, status and the answer, so that somebody can mend it and send the event again."""
    journal = dead_letter_journal(directories(place))

    letter = dead_letter(b"{}", "HTTP 422", NOON, status=422, response="no such type")
    journal.append([letter], NOON)

    assert read(place.root / "rejected") == [
        {
            "reason": "HTTP 422",
            "status": 422,
            "response": "no such type",
            "rejected_at": "2026-03-10T12:00:00+00:00",
            "event": {},
        }
    ]


def event(number: int = 0, *, event_type: str = "RUN") -> Piece:
    """Return an event whose line `json.dumps` would write otherwise."""
    return batch(1, number, event_type)


def batch(events: int, number: int = 0, event_type: str = "RUN") -> Piece:
    """Return so many events that are the same."""
    body = f'{{"n":{number}, "u": "ü"}}'.encode()
    entry = Entry(event_id(body), event_type, "yesterday", "flwr/1.41.0")
    lines = b"\n".join([body] * events)
    return Piece(0, len(lines) + 1, lines, Listed([entry] * events), 0, events)


def id_of(piece: Piece) -> str:
    """Return the id of an event by itself."""
    (entry,) = piece.entries()
    return entry.id


def test_a_receipt_names_the_event_and_where_it_went(place: Place) -> None:
    """Anybody can look up what left this machine."""
    receipts = Receipts(directories(place), ENDPOINT, keep_sent=False)

    receipts.accepted([event()], NOON)
    receipts.flush(NOON)

    assert place.ledger() == [
        {
            "id": id_of(event()),
            "event_type": "RUN",
            "date": "yesterday",
            "sent_at": "2026-03-10T12:00:00+00:00",
            "endpoint": ENDPOINT,
        }
    ]


def test_a_receipt_can_keep_what_was_sent(place: Place) -> None:
    """With `keep_sent` the exact bytes are there, and the id proves them."""
    receipts = Receipts(directories(place), ENDPOINT, keep_sent=True)

    receipts.accepted([event()], NOON)
    receipts.flush(NOON)

    (receipt,) = place.ledger()
    assert receipt["event"].encode() == event().data
    assert receipt["id"] == event_id(receipt["event"].encode())


def test_receipts_of_a_batch_can_keep_what_was_sent(place: Place) -> None:
    """Each event is in its own."""
    receipts = Receipts(directories(place), ENDPOINT, keep_sent=True)

    receipts.accepted([batch(3)], NOON)
    receipts.flush(NOON)

    assert [receipt["event"].encode() for receipt in place.ledger()] == [event().data] * 3
    assert {receipt["id"] for receipt in place.ledger()} == {id_of(event())}


def test_receipts_are_written_in_batches_and_once(place: Place) -> None:
    """Nothing is on disk before a flush, and nothing twice after two."""
    receipts = Receipts(directories(place), ENDPOINT, keep_sent=False)
    for number in range(3):
        receipts.accepted([event(number)], NOON)
    assert not place.root.exists()

    receipts.flush(NOON)
    receipts.flush(NOON)

    assert [receipt["id"] for receipt in place.ledger()] == [id_of(event(n)) for n in range(3)]


def test_each_receipt_has_the_time_of_its_own_answer(place: Place) -> None:
    """Though receipts of the same moment are made together."""
    receipts = Receipts(directories(place), ENDPOINT, keep_sent=False)
    later = NOON + timedelta(milliseconds=1)

    receipts.accepted([event(0), event(1)], NOON)
    receipts.accepted([event(2)], NOON)
    receipts.accepted([event(3)], later)
    receipts.flush(later + timedelta(seconds=1))

    assert [(each["id"], each["sent_at"]) for each in place.ledger()] == [
        *((id_of(event(number)), NOON.isoformat()) for number in range(3)),
        (id_of(event(3)), later.isoformat()),
    ]


def test_pieces_that_were_read_together_may_be_accepted_in_any_order(place: Place) -> None:
    """Receipts come in the order of the answers, each with its own event."""
    receipts = Receipts(directories(place), ENDPOINT, keep_sent=False)
    lines = [b'{"n": %d}' % number for number in range(5)]
    manifest = Listed([Entry(event_id(line), "RUN", "", "flwr/1.41.0") for line in lines])
    whole = Piece(0, 45, b"".join(line + b"\n" for line in lines), manifest, 0, 5)
    first, second, third = whole.cut(2)

    receipts.accepted([third, event(7), first, second], NOON)
    receipts.flush(NOON)

    assert [each["id"] for each in place.ledger()] == [
        event_id(lines[4]),
        id_of(event(7)),
        *map(event_id, lines[:4]),
    ]


def test_nothing_accepted_writes_nothing(place: Place) -> None:
    """A daemon that idles leaves no empty files."""
    Receipts(directories(place), ENDPOINT, keep_sent=False).flush(NOON)

    assert not place.root.exists()


def test_receipts_wait_while_they_cannot_be_written(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    """Delivery goes on, because it is what makes room; the log says that they are behind."""
    receipts = Receipts(directories(place), ENDPOINT, keep_sent=False)
    place.root.write_bytes(b"in the way")
    receipts.accepted([event(0)], NOON)
    receipts.flush(NOON)
    assert "receipts cannot be written yet" in caplog.text
    place.root.unlink()

    receipts.accepted([event(1)], NOON)
    receipts.flush(NOON)

    assert [receipt["id"] for receipt in place.ledger()] == [id_of(event(0)), id_of(event(1))]


def test_receipts_that_wait_are_bounded(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    """A disk that stays full for a month must not fill the memory; each drop is said."""
    receipts = Receipts(directories(place), ENDPOINT, keep_sent=False)
    place.root.write_bytes(b"in the way")
    for number in range(16_385):
        receipts.accepted([event(number)], NOON)
    assert caplog.text.count("1024 receipts were dropped") == 1
    place.root.unlink()

    receipts.flush(NOON)

    kept = [receipt["id"] for receipt in place.ledger()]
    assert kept == [id_of(event(number)) for number in range(1_024, 16_385)]


def test_receipts_of_large_batches_that_wait_are_bounded(place: Place) -> None:
    """A batch may have more events than are dropped at a time."""
    receipts = Receipts(directories(place), ENDPOINT, keep_sent=False)
    place.root.write_bytes(b"in the way")
    for _ in range(5):
        receipts.accepted([batch(10_000)], NOON)
    place.root.unlink()

    receipts.flush(NOON)

    assert len(place.ledger()) == 16_384


def test_many_receipts_do_not_wait_for_a_flush(place: Place) -> None:
    """A fast endpoint must not fill the memory."""
    receipts = Receipts(directories(place), ENDPOINT, keep_sent=False)
    for number in range(5_000):
        receipts.accepted([event(number)], NOON)

    assert len(place.ledger()) > 4_000


def test_a_label_is_quoted_as_json_is(place: Place) -> None:
    """An event is anybody's text."""
    receipts = Receipts(directories(place), ENDPOINT, keep_sent=False)
    odd = 'a"b\\c\n\x00ü\U0001f33b'

    receipts.accepted([event(event_type=odd)], NOON)
    receipts.flush(NOON)

    assert [receipt["event_type"] for receipt in place.ledger()] == [odd]
