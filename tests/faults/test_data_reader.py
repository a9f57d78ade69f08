"""The reader, fuzzed: whatever is in a segment or a progress file, it says what is there.

Seeded loops rather than Hypothesis: they make many more cases a second, and a case is its seed.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from telemetry_spool import segment
from telemetry_spool.acks import Ack, read_ack, render
from telemetry_spool.acks import parse as parse_ack
from telemetry_spool.events import Event, Malformed, parse
from telemetry_spool.letters import dead_letter
from telemetry_spool.segment import Line, read_lines
from tests.conftest import Place, run_python
from tests.faults.data_drain import event, exact_bytes, is_event, segment_name
from tests.faults.table import survives
from tests.support.endpoint import Endpoint

SEED = 20261122
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
READINGS = 40_000
ACKS = 40_000
EVENTS = 40_000

PIECES = [
    b"\n",
    b"\n\n",
    b"\0",
    b"\xff",
    b"{}",
    b"{",
    b"}",
    b'"',
    b"a" * 7,
    b"1",
    b"\r",
    b"[",
    b"\\",
]

ACK_PIECES = [b"0", b"7", b"12", b" ", b"  ", b"-", b"+", b"_", b"\n", b"\0", b"\xff", b".", b"e9"]

ONE_GIBIBYTE = 2**30

DRAIN_AND_TELL_MEMORY = """
import sys
from pathlib import Path
from uploader.cli import main
sys.argv[0] = "telemetry-uploader"
try:
    main()
except SystemExit as ended:
    assert not ended.code, ended.code
status = Path("/proc/self/status").read_text()
print(status.partition("VmHWM:")[2].split()[0])
"""


@pytest.fixture
def scratch(tmp_path: Path) -> Iterator[int]:
    """Return the descriptor of an empty file."""
    descriptor = os.open(tmp_path / "segment", os.O_RDWR | os.O_CREAT)
    yield descriptor
    os.close(descriptor)


@survives("data", "a segment is random bytes", "every byte is in exactly one line")
def test_the_reader_accounts_for_every_byte(scratch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines and newlines give the file again, from any line on, whatever a slice cuts in two."""
    chosen = random.Random(SEED)
    for _ in range(READINGS):
        content = b"".join(chosen.choices(PIECES, k=chosen.randrange(12)))
        limit = chosen.randrange(1, 12)
        monkeypatch.setattr(segment, "_SLICE_BYTES", chosen.randrange(1, 9))
        os.ftruncate(scratch, 0)
        os.pwrite(scratch, content, 0)

        lines = list(read_lines(scratch, limit=limit))

        assert_lines_are(content, lines, limit)
        if lines:
            start = chosen.choice(lines).start
            assert list(read_lines(scratch, start, limit=limit)) == [
                line for line in lines if line.start >= start
            ]


def assert_lines_are(content: bytes, lines: list[Line], limit: int) -> None:
    """Check that these lines are what is between the newlines of the content."""
    end = 0
    for line in lines:
        whole = content[line.start : line.end].removesuffix(b"\n")
        assert content[end : line.start].strip(b"\n") == b""
        assert b"\n" not in whole
        assert line.data == whole[:limit]
        assert line.cut == (len(whole) > limit)
        end = line.end
    assert content[end:].strip(b"\n") == b""
    assert [line.start for line in lines] == [
        start
        for start in range(len(content))
        if content[start : start + 1] != b"\n" and content[start - 1 : start] in (b"", b"\n")
    ]


@survives("data", "a progress file is random bytes", "no line counts as sent that may not be")
def test_random_progress_is_read_without_failing(scratch: int, tmp_path: Path) -> None:
    """An offset is one at which a line begins; a text of ours is read as it was written."""
    chosen = random.Random(SEED)
    path = tmp_path / "progress"
    content = b"1234567\n" * 3
    os.pwrite(scratch, content, 0)
    for number in range(ACKS):
        text = b"".join(chosen.choices(ACK_PIECES, k=chosen.randrange(8)))
        assert parse_ack(text).offset >= 0
        if number % 40 == 0:  # opening a file takes longer
            path.write_bytes(text)
            assert read_ack(str(path), scratch).offset in (0, 8, 16, 24)
        beyond = frozenset(chosen.choices(range(10**6), k=chosen.randrange(4)))
        ours = Ack(chosen.randrange(10**6), beyond)
        assert parse_ack(render(ours.offset, ours.beyond)) == ours


@survives("data", "an event has random bytes in it", "it is sent if it is an object, or set aside")
def test_a_random_line_is_an_event_or_not() -> None:
    """Nothing raises, and what is set aside can be had again."""
    chosen = random.Random(SEED)
    seed = event(1, ', "x": [1.5, null, true, "\\u00fc\\ud83d", {}]')
    assert is_event(seed)
    for _ in range(EVENTS):
        data = bytearray(seed)
        for _ in range(chosen.randrange(1, 4)):
            position = chosen.randrange(len(data))
            data[position : position + chosen.randrange(2)] = bytes(
                [chosen.choice(b'{}[]",:\\0129.eE+-tfn\x00\xff\xc3\xa9 ')]
            )
        line = Line(0, len(data) + 1, bytes(data))

        found = parse(line)

        assert isinstance(found, Event if is_event(line.data) else Malformed)
        assert exact_bytes(dead_letter(line.data, "", NOON)) == line.data


@survives("data", "a line of 1 GiB", "its beginning is set aside, in a few MiB of memory")
def test_a_line_of_a_gibibyte_takes_no_memory(place: Place, tmp_path: Path) -> None:
    """Of what the uploader needs besides, a line of the largest event is the measure."""
    with Endpoint() as endpoint:
        usual = drain_in_a_process(Place(tmp_path / "empty"), endpoint)
        place.spool.mkdir(mode=0o700, parents=True)
        with (place.spool / segment_name(1)).open("wb") as file:
            file.write(event(1) + b"\n{")
            file.seek(ONE_GIBIBYTE)
            file.write(b"}\n" + event(2) + b"\n")

        needed = drain_in_a_process(place, endpoint)

    assert {request.body for request in endpoint.accepted} == {event(1), event(2)}
    assert place.names() == ["uploader.lock"]
    letters = list((place.root / "rejected").iterdir())
    assert len(letters) == 1
    assert letters[0].stat().st_size < 16 * 2**20
    assert needed - usual < ONE_GIBIBYTE // 16 // 2**10


def drain_in_a_process(place: Place, endpoint: Endpoint) -> int:
    """Run `telemetry-uploader once`; return the most memory that it had, in KiB."""
    done = run_python(
        DRAIN_AND_TELL_MEMORY, "once", "--endpoint", endpoint.url, environ=place.environ
    )
    return int(done.stdout)
