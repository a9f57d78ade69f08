"""A gate for each owner of events: the events of one user keep no other user's waiting.

In a private spool there is one owner, None. In a shared one an event that the endpoint stumbles
over makes only its owner wait; an endpoint that is down is found out by each owner for itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from uploader.gate import Gate
from uploader.outcome import Outcome

Owner = int | None


@dataclass(frozen=True, slots=True)
class _Answer:
    number: int
    owner: Owner


class Gates:
    """Learns from outcomes. All times are seconds of the same monotonic clock."""

    def __init__(self, concurrency: int, random: Callable[[], float]) -> None:
        """Allow each owner `concurrency` requests at once; `random` is in [0, 1)."""
        self._concurrency = concurrency
        self._random = random
        self.private = Gate(concurrency, random)
        """The gate of the only owner of a private spool, None."""
        self._gates: dict[Owner, Gate] = {None: self.private}
        self._failed: dict[Owner, int] = {}
        self._closed: set[Owner] = set()
        self._results = 0
        self._last_answer = _Answer(0, None)

    def of(self, owner: Owner) -> Gate:
        """Return the gate of one owner."""
        try:
            return self._gates[owner]
        except KeyError:
            gate = self._gates[owner] = Gate(self._concurrency, self._random)
            return gate

    @property
    def trouble(self) -> Outcome | None:
        """The outcome that makes the endpoint wait; None while it works, for others at least."""
        gate = self._troubled
        return gate.trouble if gate else None

    @property
    def closed_until(self) -> float:
        """When the endpoint may be tried again; in the past if it may be tried now."""
        gate = self._troubled
        return gate.closed_until if gate else 0.0

    @property
    def all_work(self) -> bool:
        """Whether nobody's events make the endpoint wait."""
        return not self._failed

    @property
    def _troubled(self) -> Gate | None:
        """The gate that opens next of those that nobody else's success makes doubtful."""
        if not self._failed:
            return None
        troubled = [
            gate
            for owner in self._failed
            if (gate := self.of(owner)).trouble is not None and not self._works_for_others(owner)
        ]
        return min(troubled, key=lambda gate: gate.closed_until, default=None)

    def _works_for_others(self, owner: Owner) -> bool:
        last = self._last_answer
        return last.owner != owner and last.number > self._failed[owner]

    def answered(self, now: float, sent_at: Iterable[float], owner: Owner = None) -> None:
        """Note that the endpoint accepted or rejected what was sent for this owner at these times.

        There is one time for each answer.
        """
        gate = self.private if owner is None else self.of(owner)
        gate.answered(now, sent_at)
        if self._failed:  # there is nothing to disprove else, and answers are many
            self._results += 1
            self._last_answer = _Answer(self._results, owner)
            if gate.trouble is None:
                self._failed.pop(owner, None)

    def failed(self, outcome: Outcome, now: float, *, sent_at: float, owner: Owner = None) -> None:
        """Note a RETRY or HOLD of this owner's request, sent at `sent_at`."""
        self._results += 1
        self._failed[owner] = self._results
        self._closed.add(owner)
        self.of(owner).failed(outcome, now, sent_at=sent_at)

    def waiting(self, now: float) -> frozenset[Owner]:
        """Return the owners for whose events the endpoint may not be tried now."""
        if not self._closed:
            return frozenset()
        self._closed = {owner for owner in self._closed if self.of(owner).closed_until > now}
        return frozenset(self._closed)
