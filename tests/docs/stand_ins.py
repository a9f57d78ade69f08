"""Text without what differs from run to run and from machine to machine."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00")
_FIRST_TIME = datetime(2026, 3, 10, 9, 0, 0, 250_000, UTC)

# How much of an event's id is shown: all of it, in a list, and what our session types.
_ID_LENGTHS = (64, 12, 6)

_FACTS = (
    # the machine
    (r'("?cpu_count"?(?: =|:) )\d+', r"\g<1>8"),
    (r'("system": )"[^"]*"', r'\g<1>"Linux"'),
    (r'("release": )"[^"]*"', r'\g<1>"6.12.0"'),
    (r'("platform": )"[^"]*"', r'\g<1>"Linux-6.12.0-x86_64-with-glibc2.41"'),
    (r'("python_version": )"[^"]*"', r'\g<1>"3.12.3"'),
    (r'("machine": )"[^"]*"', r'\g<1>"x86_64"'),
    (r'("version": )"[^"]*"', r'\g<1>"#1 SMP PREEMPT_DYNAMIC"'),
    # what depends on it
    (r"\bpid \d+ on [^\s)]+", "pid 4711 on laptop"),
    (r"\b1\.41\.\d+\b", "1.41.0"),
    (r"(Content-Length: )\d+", r"\g<1>647"),
    (r"[\d,]+( bytes, one request each)", r"1,264\g<1>"),
    (r"[-\d]:[-\d]{2}:[-\d]{2}$", "0:00:00"),
)


def with_stand_ins(text: str, ids: Sequence[str], places: Sequence[tuple[str, str]]) -> str:
    """Put stand-ins for ids of events, for places (paths), times, and facts of this machine.

    The same gets the same stand-in wherever it is, and times stay in their order.
    """
    for number, each in enumerate(ids):
        other = hashlib.sha256(f"event {number}".encode()).hexdigest()
        for length in _ID_LENGTHS:
            text = re.sub(rf"\b{each[:length]}\b", other[:length], text)
    for place, other in places:
        text = text.replace(place, other)
    text = _numbered(_UUID, text, "00000000-0000-4000-8000-{:012}".format)
    text = _numbered(_TIME, text, _time, in_order=sorted)
    for fact, other in _FACTS:
        text = re.sub(fact, other, text, flags=re.MULTILINE)
    return text


def _time(number: int) -> str:
    return (_FIRST_TIME + timedelta(seconds=7 * number)).isoformat()


def _numbered(
    pattern: re.Pattern[str],
    text: str,
    other: Callable[[int], str],
    in_order: Callable[[list[str]], list[str]] = list,
) -> str:
    found = in_order(list(dict.fromkeys(pattern.findall(text))))
    numbers = {each: number for number, each in enumerate(found, start=1)}
    return pattern.sub(lambda match: other(numbers[match[0]]), text)
