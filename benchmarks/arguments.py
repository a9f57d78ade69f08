"""Values of options, checked before anything is measured."""

from __future__ import annotations

import argparse
import math


def count(text: str) -> int:
    """Return a whole number from 1 on. Raises argparse.ArgumentTypeError or ValueError."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not at least 1")
    return number


def duration(text: str) -> float:
    """Return a time that is more than none. Raises argparse.ArgumentTypeError or ValueError."""
    number = float(text)
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not a time to wait")
    return number
