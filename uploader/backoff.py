"""How long to wait for an endpoint that cannot take events now."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

BASE_SECONDS = 0.05
"""The first wait is at most this: an endpoint that fails one request in five is not down."""
ASKED_SECONDS = 1.0
"""What an endpoint that says `Retry-After` gets at least, be it a date in the past."""
CAP_SECONDS = 900.0
"""No wait is longer: after an outage of a week, delivery resumes within a quarter of an hour."""


def delay(failures: int, random: Callable[[], float]) -> float:
    """Return the seconds to wait after `failures` failures in a row, with full jitter.

    The first failure after a success is probed again at once: one lost request is no outage.
    From the second on the wait is anything up to 0.05 s, 0.1 s, 0.2 s … 15 min. `random` returns a
    number in [0, 1).
    """
    if failures <= 1:
        return 0.0
    exponent = min(failures - 2, 64)  # beyond, the cap holds anyway and a float would overflow
    return random() * min(CAP_SECONDS, BASE_SECONDS * 2.0**exponent)


def hold_delay(random: Callable[[], float]) -> float:
    """Return the seconds until an operator's error is tried again: near the cap, spread out."""
    return CAP_SECONDS * (0.5 + random() / 2)


def parse_retry_after(value: str | None, now: datetime) -> float | None:
    """Return the seconds that a `Retry-After` header asks for (seconds or a date).

    None without a header or with one that is neither; 0 for a date in the past; never more than
    the cap, so that a mistaken header cannot switch delivery off.
    """
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), CAP_SECONDS)
    from email.utils import parsedate_to_datetime  # seldom needed, and more than a MiB

    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # the latter for digits without end
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return min(max((moment - now).total_seconds(), 0.0), CAP_SECONDS)
