"""How the limit of requests at once rises while all goes well, and what it falls to.

It doubles with each round at first, and up to what has gone well before; beyond, it grows by one,
then by two, and so on. What was too much is approached again more and more rarely.
"""

from __future__ import annotations

import math

_FIRST_LIMIT = 2

_FEWEST_ROUNDS, _MOST_ROUNDS = 4, 64
"""The rounds without trouble before what was too much is tried again: doubled each time."""


class Climb:
    """The limit. A round is as many answers as it takes to judge it."""

    __slots__ = (
        "_ceiling",
        "_most",
        "_passed",
        "_patience",
        "_rounds",
        "_step",
        "_target",
        "limit",
    )

    def __init__(self, most: int) -> None:
        """Begin low, and never rise above `most`."""
        self.limit = min(_FIRST_LIMIT, most)
        self._most = most
        self._target = most
        self._passed = 0
        self._ceiling = math.inf
        self._patience = _FEWEST_ROUNDS
        self._rounds = 0
        self._step = 0

    @property
    def steep(self) -> bool:
        """Whether the limit doubles with each round."""
        return self.limit < self._target

    def passed(self) -> None:
        """Note that a round went well with this limit."""
        self._passed = max(self._passed, self.limit)

    def rise(self) -> None:
        """Let more be under way, after a round that went well."""
        if self.steep:
            self.limit = min(2 * self.limit, self._target)
            return
        self._rounds += 1
        if self.limit >= self._ceiling:
            self._ceiling = math.inf
            self._patience = _FEWEST_ROUNDS
        if self.limit + 1 == self._ceiling and self._rounds < self._patience:
            return
        self._rounds = 0
        self._step = min(self._step + 1, max(1, self.limit // 4))
        bound = min(self._most, max(self._ceiling - 1, self.limit + 1))
        self.limit = int(min(self.limit + self._step, bound))

    def failed(self, *, at_once: bool) -> None:
        """Halve the limit; `at_once` unless what failed was the only request under way.

        What had gone well before is not forgotten: failures may have nothing to do with how much
        is sent at once.
        """
        known = at_once and self._passed > 0
        if known and self.limit > self._passed:
            self._target = self._passed
            self._too_much(self.limit)
        elif known:
            self._passed = max(1, self._passed - max(1, (self._passed - self.limit) // 4))
            self._target = self._passed
            self._ceiling = math.inf
            self._step = 0
        self.limit = max(1, self.limit // 2)

    def settle(self, *, below: int) -> None:
        """Stay with this limit, and be slow to rise to one that was too much."""
        self._passed = self._target = self.limit
        self._too_much(below)

    def _too_much(self, limit: int) -> None:
        again = limit >= self._ceiling
        self._patience = min(2 * self._patience, _MOST_ROUNDS) if again else _FEWEST_ROUNDS
        self._ceiling = limit
        self._rounds = 0
        self._step = 0
