"""Whose event may be sent now: consent, the endpoint's state and the lanes decide."""

from __future__ import annotations

from collections.abc import Callable

from telemetry_spool.paths import Kind
from uploader.choices import Choices
from uploader.gates import Gates, Owner
from uploader.sendable import SENDABLE, sendable_in

_NOTHING: frozenset[Kind] = frozenset()


class Admission:
    """Counts requests under way by owner. All times are seconds of the same monotonic clock."""

    def __init__(self, gates: Gates, choices: Choices, concurrency: int) -> None:
        """Let `concurrency` requests be under way in all."""
        self._gates = gates
        self._choices = choices
        self._concurrency = concurrency
        # Requests of one user that are never answered must not take all lanes for a minute.
        self._most_of_one = max(1, concurrency - 1)
        self._under_way: dict[Owner, int] = {}
        self._total = 0

    def sent(self, owner: Owner, requests: int) -> None:
        """Note that so many more requests are under way."""
        self._under_way[owner] = self._under_way.get(owner, 0) + requests
        self._total += requests

    def ended(self, owner: Owner, requests: int) -> None:
        """Note that so many requests have ended."""
        self._total -= requests
        left = self._under_way.pop(owner) - requests
        if left:
            self._under_way[owner] = left

    def room(self, owner: Owner, now: float) -> int:
        """Return how many more requests of this owner's may be sent now."""
        allowance = self._gates.of(owner).allowance(now)
        if owner is not None:
            allowance = min(allowance, self._most_of_one)
        return min(allowance - self._under_way.get(owner, 0), self._concurrency - self._total)

    @property
    def full(self) -> bool:
        """Whether no more requests may be under way, whosever they are."""
        return self._total >= self._concurrency

    def admits(self, owner: Owner, now: float) -> frozenset[Kind]:
        """Return the kinds of segments of which an event of this owner may be sent now."""
        return self._chosen(owner) if self.room(owner, now) > 0 else _NOTHING

    def is_due(self, owner: Owner, now: float) -> bool:
        """Tell whether there is more to wait for than answers: not for who waits or refuses.

        In a private spool the caller knows about both.
        """
        return owner is None or (self.opens_at(owner) <= now and bool(self._chosen(owner)))

    def opens_at(self, owner: Owner) -> float:
        """Return when the endpoint may be tried again with this owner's events."""
        return self._gates.of(owner).closed_until

    def openings(self, is_busy: Callable[[Owner], bool], now: float) -> list[float]:
        """Return when the endpoint may be tried again with events of those busy ones who wait."""
        return [
            self.opens_at(owner)
            for owner in self._gates.waiting(now)
            if owner is not None and is_busy(owner) and self._chosen(owner)
        ]

    def _chosen(self, owner: Owner) -> frozenset[Kind]:
        return SENDABLE if owner is None else sendable_in(self._choices.mode(owner))
