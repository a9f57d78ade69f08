"""A carrier that answers all that it has been given at once, and all alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tests.support.requests import Request, one_by_one
from uploader.carrier import Delivered, Message, Requests, Signal
from uploader.outcome import Answer, Failure

CREATED = Answer(201)


class AnsweringCarrier:
    """Keeps the requests, and calls `told` after each group of them."""

    def __init__(self, answer: Answer | Failure = CREATED) -> None:
        self.answer = answer
        self.groups: list[list[Request]] = []
        self.told: Callable[[], None] = lambda: None
        self.ended = False
        self._tickets: list[int] = []
        self._signals: list[Signal] = []

    @property
    def requests(self) -> list[Request]:
        """What it was given, of all groups."""
        return [request for group in self.groups for request in group]

    def submit(self, requests: Requests) -> None:
        """Keep the requests."""
        self.groups.append(one_by_one([requests]))
        self._tickets += requests.tickets
        self.told()

    def put(self, signal: Signal) -> None:
        """Keep the signal."""
        self._signals.append(signal)

    def collect(self, timeout: float) -> Sequence[Message]:
        """Answer everything."""
        del timeout
        tickets, self._tickets = tuple(self._tickets), []
        signals, self._signals = self._signals, []
        return [*signals, Delivered(tickets, self.answer)] if tickets else signals

    def end(self) -> None:
        """Keep that it was told to end."""
        self.ended = True
