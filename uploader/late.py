"""A carrier that is made with the first request: what it takes is loaded then."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue

from uploader.carrier import Carrier, Message, Requests, Signal


class LateCarrier:
    """Waits for signals only, until there is something to carry."""

    def __init__(self, make: Callable[[], Carrier]) -> None:
        """Have the carrier made by `make`, once."""
        self._make = make
        self._made: Carrier | None = None
        self._signals: SimpleQueue[Signal] = SimpleQueue()

    def submit(self, requests: Requests) -> None:
        """Begin to POST these; what comes of each is delivered later."""
        if self._made is None:
            self._made = self._make()
            for signal in self._put_so_far():
                self._made.put(signal)
        self._made.submit(requests)

    def put(self, signal: Signal) -> None:
        """Deliver a signal. Twice does no harm: the carrier may be made at this moment."""
        self._signals.put(signal)
        if self._made is not None:
            self._made.put(signal)

    def collect(self, timeout: float) -> Sequence[Message]:
        """Wait at most `timeout` seconds for messages; return all that there are."""
        if self._made is not None:
            self._put_so_far()
            return self._made.collect(timeout)
        try:
            first = self._signals.get(block=timeout > 0, timeout=timeout)
        except Empty:
            return []
        return [first, *self._put_so_far()]

    def end(self) -> None:
        """Let go of the carrier."""
        if self._made is not None:
            self._made.end()

    def _put_so_far(self) -> list[Signal]:
        return [self._signals.get() for _ in range(self._signals.qsize())]
