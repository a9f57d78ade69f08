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


class Requests(NamedTuple):
    """What is POSTed with the same headers, each under a number of the caller's.

    `headers` are the same object for the same headers: to look at them once is enough. To these
    comes the idempotency key, of letters and digits, of which each request has its own.
    """

    headers: Mapping[str, str]
    tickets: Sequence[int]
    bodies: Sequence[bytes]
    keys: Sequence[str]


class Delivered(NamedTuple):
    """What came of the requests with these tickets."""

    tickets: Sequence[int]
    result: Answer | Failure


Message = Delivered | Signal


class Carrier(Protocol):
    """Carries requests to the endpoint; what the engine waits for arrives here.

    All methods but `put` are used by one thread only. None of them raises because of a request.
    """

    def submit(self, requests: Requests) -> None:
        """Begin to POST these; what comes of each is delivered later."""
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
