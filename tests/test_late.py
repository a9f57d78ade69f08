"""A carrier that is made with the first request: nothing that was said before is lost."""

from __future__ import annotations

import threading

import pytest

from tests.support.carrier import AnsweringCarrier
from tests.support.requests import request, submit
from uploader.carrier import Delivered, Signal
from uploader.late import LateCarrier
from uploader.outcome import Answer

LONG = 60.0


class Maker:
    """Makes carriers, and knows which."""

    def __init__(self) -> None:
        self.made: list[AnsweringCarrier] = []

    def __call__(self) -> AnsweringCarrier:
        """Make another one."""
        self.made.append(AnsweringCarrier())
        return self.made[-1]


@pytest.fixture
def maker() -> Maker:
    """Return what makes the carrier."""
    return Maker()


@pytest.fixture
def late(maker: Maker) -> LateCarrier:
    """Return a carrier that is not made yet."""
    return LateCarrier(maker)


def test_nothing_is_made_before_the_first_request(late: LateCarrier, maker: Maker) -> None:
    """Not for signals, and not to end."""
    late.put(Signal.LOOK)
    assert late.collect(LONG) == [Signal.LOOK]
    assert late.collect(0.0) == []
    late.end()

    assert maker.made == []


def test_one_is_made_for_all_requests(late: LateCarrier, maker: Maker) -> None:
    """With what is to be sent, and its answers come back."""
    first, second, third = (request(ticket) for ticket in (1, 2, 3))
    submit(late, [first])
    submit(late, [second, third])

    (made,) = maker.made
    assert made.groups == [[first], [second, third]]
    assert late.collect(LONG) == [Delivered((1, 2, 3), Answer(201))]
    late.end()
    assert made.ended


def test_signals_come_in_one_go(late: LateCarrier) -> None:
    """A stop behind looks is not kept waiting."""
    for signal in (Signal.LOOK, Signal.STOP, Signal.LOOK):
        late.put(signal)

    assert late.collect(LONG) == [Signal.LOOK, Signal.STOP, Signal.LOOK]
    assert late.collect(0.0) == []


def test_what_was_said_before_it_was_made_is_still_heard(late: LateCarrier) -> None:
    """A stop, perhaps."""
    late.put(Signal.STOP)
    submit(late, [request(1)])

    assert set(late.collect(LONG)) == {Signal.STOP, Delivered((1,), Answer(201))}


def test_what_is_said_while_it_is_made_is_heard(maker: Maker) -> None:
    """A signal handler, or the watcher's thread, does not wait for libraries to be loaded."""

    def make() -> AnsweringCarrier:
        subject.put(Signal.STOP)
        return maker()

    subject = LateCarrier(make)
    submit(subject, [request(1)])

    assert Signal.STOP in subject.collect(LONG)


def test_what_is_said_later_is_heard_once(late: LateCarrier) -> None:
    """The carrier itself hears it."""
    submit(late, [request(1)])
    late.collect(LONG)
    for _ in range(3):
        late.put(Signal.LOOK)
        assert late.collect(LONG) == [Signal.LOOK]
    assert late.collect(0.0) == []


def test_a_signal_ends_a_wait(late: LateCarrier) -> None:
    """From any thread."""
    thread = threading.Thread(target=late.put, args=(Signal.STOP,))
    thread.start()

    assert late.collect(LONG) == [Signal.STOP]
    thread.join()
