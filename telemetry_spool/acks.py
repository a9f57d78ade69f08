"""The progress file beside a sealed segment: what of it has been dealt with.

Its text is the byte offset up to which every line is accepted (or rejected), then the offsets of
single lines beyond that are, too: requests overtake each other, and a stop must not send those
again. Whatever cannot be understood means that nothing is accepted: sending twice under the same
key does no harm, losing does.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

# An offset and one more for each line accepted while an older one is under way: in a segment of
# 1 MiB of Flower's events some 20 KiB at the most.
_MAX_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class Ack:
    """`offset` in bytes from the start of the segment; `beyond`: starts of lines after it."""

    offset: int = 0
    beyond: frozenset[int] = frozenset()


def parse(text: bytes) -> Ack:
    """Parse the text of a progress file."""
    try:
        offset, *beyond = (int(word) for word in text.decode("ascii").split())
    except ValueError:
        return Ack()
    return Ack(offset, frozenset(beyond)) if offset >= 0 else Ack()


def render(offset: int, beyond: Iterable[int]) -> bytes:
    """Return the text of a progress file."""
    return (" ".join(str(number) for number in (offset, *sorted(beyond))) + "\n").encode()


def read_ack(path: str, segment: int) -> Ack:
    """Read the progress file of the segment with the open descriptor `segment`.

    Missing or unreadable means that nothing is accepted, and so does an offset that is not the
    beginning of a line of this segment: half a line would be neither delivered nor set aside.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return Ack()
    try:
        text = os.read(descriptor, _MAX_BYTES)
        if not text.endswith(b"\n"):  # cut, by a full disk say: half a number is another number
            text = text[: text.rfind(b" ") + 1]
        ack = parse(text)
        if ack.offset and os.pread(segment, 1, ack.offset - 1) != b"\n":
            return Ack()
        return ack
    except (OSError, OverflowError):
        return Ack()
    finally:
        os.close(descriptor)
