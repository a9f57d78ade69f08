"""Ratios of runs that took turns, and how sure they are."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

CHANCE = 0.05
"""How likely the true median is outside of the interval."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """The median of the ratios of each round, and the interval that has the true one in it."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.3f} ({self.low:.3f}-{self.high:.3f})"


def ratio(these: Sequence[float], those: Sequence[float]) -> Ratio:
    """Compare runs of the same rounds."""
    ratios = sorted(a / b for a, b in zip(these, those, strict=True))
    outside = _outside(len(ratios))
    return Ratio(statistics.median(ratios), ratios[outside], ratios[-1 - outside])


def _outside(count: int) -> int:
    """Return how many on either side are outside of the interval: as in a sign test, 2.5 %."""
    share, outside = 0.5**count, 0
    while outside < (count - 1) // 2 and share <= CHANCE / 2:
        outside += 1
        share += math.comb(count, outside) * 0.5**count
    return max(0, outside - (share > CHANCE / 2))
