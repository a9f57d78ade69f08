"""The seam between the engine and what carries its requests, many at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import NamedTuple, Protocol

from uploader.outcome import Answer, Failure


class Signal(Enum):
    """What reaches the engine besides answers."""

    LOOK = "look"
    STOP = "stop"


class Delivered(NamedTuple):
    """What came of the request with this ticket."""

    ticket: int
    result: Answer | Failure


Message = Delivered | Signal


class Carrier(Protocol):
    """Carries requests to the endpoint; what the engine waits for arrives here.

    All methods but `put` are used by one thread only. None of them raises because of a request.
    """

    def submit(self, ticket: int, body: bytes, headers: Mapping[str, str]) -> None:
        """Begin to POST `body` with these headers; what comes of it is delivered later."""
        ...

    def put(self, signal: Signal) -> None:
        """Deliver a signal, which ends a wait at once; from any thread or a signal handler."""
        ...

    def collect(self, timeout: float) -> Sequence[Message]:
        """Wait at most `timeout` seconds for messages; return all that there are."""
        ...

    def end(self) -> None:
        """Let go of what is held, after the requests under way: nothing is submitted any more."""
        ...
