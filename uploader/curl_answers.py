"""Understand what curl has received: header lines as they came, and the beginning of a body."""

from __future__ import annotations

from collections.abc import Sequence
from email.message import Message

from uploader.outcome import BODY_BYTES, Answer

_LINES = 100
_LINE_BYTES = 2**16
# What is looked for in all lines at once: nearly every answer has none of these.
_TELLING = (b"\nretry-after:", b"\nlocation:", b"\ncontent-encoding:")


class Answers:
    """Makes answers, and gives the same object for the same one: whoever judges it can tell."""

    def __init__(self) -> None:
        """Know none."""
        self._usual = Answer(0)
        self._usual_type: bytes | None = b""

    def plain(self, status: int, content_type: bytes | None, body: bytes) -> Answer:
        """Return the answer that has nothing else to it."""
        usual = self._usual
        if body == usual.body and status == usual.status and content_type == self._usual_type:
            return usual
        self._usual = Answer(status, (content_type or b"").decode("latin-1"), body=body)
        self._usual_type = content_type
        return self._usual


def is_plain(lines: Sequence[bytes], body: bytes) -> bool:
    """Tell whether status, content type and body are all that there is to an answer."""
    if len(lines) > _LINES or len(body) > BODY_BYTES:
        return False
    head = b"".join(lines).lower()
    first, second, third = _TELLING
    return not (first in head or second in head or third in head or len(head) > _LINE_BYTES)


def is_sane(lines: Sequence[bytes]) -> bool:
    """Tell whether headers are as few and as short as any server's."""
    return len(lines) <= _LINES and all(len(line) <= _LINE_BYTES for line in lines)


def is_complete(lines: Sequence[bytes]) -> bool:
    """Tell whether the headers have come to their end."""
    return _end(lines) is not None


def detailed(status: int, lines: Sequence[bytes], body: bytes, *, cut: bool) -> Answer:
    """Return the answer with these header lines; `cut` if more of the body was to come."""
    headers = _headers(lines)
    # Compressed though we asked for none of it: as good as unread, and never unpacked.
    encoded = headers.get("Content-Encoding", "").lower() not in ("", "identity")
    return Answer(
        status=status,
        content_type=headers.get("Content-Type", ""),
        retry_after=headers.get("Retry-After"),
        location=headers.get("Location"),
        body=body[:BODY_BYTES],
        cut=cut or len(body) > BODY_BYTES or (encoded and body != b""),
    )


def _headers(lines: Sequence[bytes]) -> Message:
    headers = Message()
    for line in lines[_start(lines) : _end(lines)]:
        name, colon, value = line.decode("latin-1").partition(":")
        if colon:
            headers[name] = value.strip()
    return headers


def _start(lines: Sequence[bytes]) -> int:
    """Return where the last head begins: a proxy's and provisional ones come before it."""
    return max((at for at, line in enumerate(lines) if line.startswith(b"HTTP/")), default=0)


def _end(lines: Sequence[bytes]) -> int | None:
    """Return where the last head ends: trailers come after it."""
    start = _start(lines)
    return next((at for at in range(start, len(lines)) if not lines[at].strip()), None)
