"""A carrier that is made with the first request: nothing that was said before is lost."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence

import pytest

from uploader.carrier import Delivered, Message, Signal
from uploader.late import LateCarrier
from uploader.outcome import Answer

LONG = 60.0


class Fake:
    """A carrier that answers every request at once."""

    def __init__(self) -> None:
        self.requests: list[tuple[int, bytes, Mapping[str, str]]] = []
        self.messages: list[Message] = []
        self.ended = False

    def submit(self, ticket: int, body: bytes, headers: Mapping[str, str]) -> None:
        """Keep the request, and answer it."""
        self.requests.append((ticket, body, headers))
        self.messages.append(Delivered(ticket, Answer(201)))

    def put(self, signal: Signal) -> None:
        """Keep the signal."""
        self.messages.append(signal)

    def collect(self, timeout: float) -> Sequence[Message]:
        """Return what is kept."""
        del timeout
        messages, self.messages = self.messages, []
        return messages

    def end(self) -> None:
        """Keep that it was told to end."""
        self.ended = True


class Maker:
    """Makes carriers, and knows which."""

    def __init__(self) -> None:
        self.made: list[Fake] = []

    def __call__(self) -> Fake:
        """Make another one."""
        self.made.append(Fake())
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
    late.submit(1, b"a", {"X": "1"})
    late.submit(2, b"b", {})

    (made,) = maker.made
    assert made.requests == [(1, b"a", {"X": "1"}), (2, b"b", {})]
    assert late.collect(LONG) == [Delivered(1, Answer(201)), Delivered(2, Answer(201))]
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
    late.submit(1, b"a", {})

    assert set(late.collect(LONG)) == {Signal.STOP, Delivered(1, Answer(201))}


def test_what_is_said_while_it_is_made_is_heard(maker: Maker) -> None:
    """A signal handler, or the watcher's thread, does not wait for libraries to be loaded."""

    def make() -> Fake:
        subject.put(Signal.STOP)
        return maker()

    subject = LateCarrier(make)
    subject.submit(1, b"a", {})

    assert Signal.STOP in subject.collect(LONG)


def test_what_is_said_later_is_heard_once(late: LateCarrier) -> None:
    """The carrier itself hears it."""
    late.submit(1, b"a", {})
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
