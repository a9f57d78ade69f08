"""Corrupt segments: the good lines are delivered, the bad ones set aside, byte for byte."""

from __future__ import annotations

import logging
import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from tests.conftest import Place
from tests.faults.data_drain import dead_letters, drain, event, is_event, seal
from tests.faults.table import Fault, survives, survives_each
from tests.support.endpoint import Answer, Endpoint
from uploader import config
from uploader.carrier import Signal
from uploader.connector import carrier_for
from uploader.engine import Engine
from uploader.once import Ending

LOCK_ONLY = ["uploader.lock"]
SEED = 20261122


@dataclass(frozen=True, slots=True)
class Row:
    """A fault, a segment with it, and which lines are events and which are none."""

    what: str
    content: bytes
    good: tuple[bytes, ...] = ()
    bad: tuple[bytes, ...] = ()

    @property
    def fault(self) -> Fault:
        """What happens, for the table."""
        then = "its line is set aside, the others arrive" if self.bad else "every line arrives"
        return Fault("data", self.what, then)


A, B = event(0), event(1)
ZEROS = b"\0" * 4096
LATIN1 = A.replace(b"E", b"\xff")
UTF16 = A.decode().encode("utf-16")
MARKED = b"\xef\xbb\xbf" + A
NESTED = b'{"a": ' * 9999
DIGITS = b'{"a": ' + b"1" * 5000 + b"}"
SURROGATE = event(1, ', "x": "\\ud800"')
TWICE = b'{"a": 1, "a": 2}'

ROWS = [
    Row("the last line has no newline", A + b"\n" + B, (A, B)),
    Row("lines are empty", b"\n\n" + A + b"\n\n\n" + B + b"\n\n", (A, B)),
    Row("zeros at the end, as after a power cut", A + b"\n" + ZEROS, (A,), (ZEROS,)),
    Row("zeros in the middle", ZEROS + A + b"\n" + B, (B,), (ZEROS + A,)),
    Row(
        "more zeros than an event may have", b"\0" * (2**20 + 1) + b"\n" + A, (A,), (b"\0" * 2**20,)
    ),
    Row("a line is cut short", A[:20] + b"\n" + B + b"\n", (B,), (A[:20],)),
    Row("two lines run together", A + B + b"\n" + B + b"\n", (B,), (A + B,)),
    Row("a byte is not UTF-8", LATIN1 + b"\n" + B + b"\n", (B,), (LATIN1,)),
    Row("a line is UTF-16", UTF16 + b"\n" + B + b"\n", (B,), (UTF16,)),
    Row("a line begins with a byte order mark", MARKED + b"\n" + B + b"\n", (B,), (MARKED,)),
    Row("a line is JSON but no object", b'[1]\n"E"\n' + A + b"\n", (A,), (b"[1]", b'"E"')),
    Row("a line ends with a carriage return", A + b"\r\n" + B + b"\n", (A + b"\r", B)),
    Row("an object is nested without end", NESTED + b"\n" + B + b"\n", (B,), (NESTED,)),
    Row("a number has digits without end", DIGITS + b"\n" + B + b"\n", (B,), (DIGITS,)),
    Row("a text has half of a surrogate pair", SURROGATE + b"\n" + B + b"\n", (SURROGATE, B)),
    Row("a key is there twice", TWICE + b"\n", (TWICE,)),
    Row("a segment is empty", b""),
]


@survives_each(row.fault for row in ROWS)
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.what.replace(" ", "-"))
def test_a_bad_line_is_set_aside_and_stops_no_other(place: Place, row: Row) -> None:
    """Its reason is with it, its bytes can be had again, and the next segment is not delayed."""
    healthy = event(99)
    seal(place, 1, row.content)
    seal(place, 2, healthy + b"\n")

    with Endpoint() as endpoint:
        drained = drain(place, endpoint)

    assert drained.delivered == Counter([*row.good, healthy])
    assert drained.aside == Counter(row.bad)
    assert all(drained.reasons)
    assert drained.ending is Ending.DRAINED
    assert place.names() == LOCK_ONLY


@survives("data", "a segment has thousands of bad lines", "a stop is answered between two of them")
def test_a_flood_of_bad_lines_does_not_hold_up_a_stop(place: Place) -> None:
    """Each of them costs a write to a file."""
    seal(place, 1, b"no event\n" * 5000)
    with Endpoint() as endpoint:
        loaded = config.load({"endpoint": endpoint.url}, place.environ)
        engine = Engine(loaded, carrier_for(loaded), random.random)
        with told(lambda: engine.put(Signal.STOP)):
            engine.wait(min(60.0, engine.work()))
        engine.shut_down()

    assert engine.stopping
    assert len(dead_letters(place)) == 1


class Told(logging.Handler):
    """Does something with each line of the log: there is one for each line that is set aside."""

    def __init__(self, what: Callable[[], None]) -> None:
        super().__init__()
        self._what = what

    def emit(self, _: logging.LogRecord) -> None:
        """Do it."""
        self._what()


@contextmanager
def told(what: Callable[[], None]) -> Iterator[None]:
    """Have it done for as long as this lasts."""
    log, handler = logging.getLogger("uploader"), Told(what)
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)


def expect_each_line_once(place: Place, segments: list[bytes]) -> None:
    """Drain these segments; every line of theirs is delivered or set aside as what it is."""
    for number, content in enumerate(segments):
        seal(place, number, content)

    with Endpoint() as endpoint:
        drained = drain(place, endpoint, concurrency=1)

    lines = Counter(line for content in segments for line in content.split(b"\n") if line)
    good = Counter({line: count for line, count in lines.items() if is_event(line)})
    assert drained.delivered == good
    assert drained.aside == lines - good
    assert place.names() == LOCK_ONLY


@survives("data", "a segment ends at any byte", "whole lines arrive, a cut one is set aside")
def test_a_segment_may_end_anywhere(place: Place) -> None:
    """One segment for each length that this one could have been cut to."""
    content = b"".join(event(number) + b"\n" for number in range(3))

    expect_each_line_once(place, [content[:length] for length in range(len(content) + 1)])


@survives("data", "any byte of a segment is another", "the other lines arrive")
def test_any_byte_may_be_another(place: Place) -> None:
    """Each position with a random value, a newline, and a zero."""
    chosen = random.Random(SEED)
    content = b"".join(event(number) + b"\n" for number in range(2))

    expect_each_line_once(
        place,
        [
            content[:position] + bytes([value]) + content[position + 1 :]
            for position in range(len(content))
            for value in (chosen.randrange(256), 0x0A, 0)
        ],
    )


@survives(
    "data", "an object nested as deeply as can be read is refused", "it is set aside as it is"
)
def test_a_deeply_nested_event_that_is_refused_is_set_aside(place: Place) -> None:
    """What can just be read can perhaps not be written as a part of something else."""
    lines = [b'{"a": ' + b"[" * depth + b"]" * depth + b"}" for depth in range(800, 1000)]
    seal(place, 1, b"\n".join(lines))

    with Endpoint(lambda _: Answer(status=400)) as endpoint:
        drained = drain(place, endpoint)

    assert drained.aside == Counter(lines)
    assert place.names() == LOCK_ONLY
