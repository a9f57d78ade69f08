"""Understand what curl has received: header lines as they came, and the beginning of a body."""

from __future__ import annotations

from collections.abc import Sequence

from uploader.outcome import BODY_BYTES, Answer, Failure, Trouble

# As many and as long as the standard library takes.
_LINES = 100
_LINE_BYTES = 2**16
_SEEN = 256


class Answers:
    """Makes answers, and gives the same object for the same one: whoever judges it can tell.

    Most answers are the last one again, line by line or with header lines that have all been seen:
    then they are not looked at.
    """

    def __init__(self) -> None:
        """Know none."""
        self._usual = Answer(0)
        self._lines: list[bytes] | None = None
        self._status_line = b""
        self._type_line: bytes | None = None
        self._count = -1
        self._harmless: set[bytes] = set()

    def again(self, lines: list[bytes], body: bytes) -> Answer | None:
        """Return the last answer if this is the same one.

        Its own status line is the only one among the harmless lines.
        """
        if lines == self._lines and body == self._usual.body:
            return self._usual
        if (
            len(lines) == self._count
            and body == self._usual.body
            and (self._type_line is None or self._type_line in lines)
            and self._harmless.issuperset(lines)
        ):
            self._lines = list(lines)
            return self._usual
        return None

    def read(self, status: int, lines: list[bytes], body: bytes) -> Answer | Failure:
        """Return the answer that came to its end."""
        answer = read(status, lines, body, cut=False)
        if isinstance(answer, Failure) or answer.retry_after or answer.location or answer.cut:
            return answer
        types = [line for line in lines if line[:13].lower() == b"content-type:"]
        if len(types) > 1 or _start(lines):
            return answer
        type_line = types[0] if types else None
        if (answer, lines[0], type_line) != (self._usual, self._status_line, self._type_line):
            self._usual = answer
            self._status_line, self._type_line = lines[0], type_line
            self._harmless.clear()
        if len(self._harmless) > _SEEN:  # dates, numbers of requests
            self._harmless.clear()
        self._harmless.update(lines)
        self._count = len(lines)
        self._lines = list(lines)
        return self._usual


def is_complete(lines: Sequence[bytes]) -> bool:
    """Tell whether the headers have come to their end."""
    return _end(lines) is not None


def read(status: int, lines: Sequence[bytes], body: bytes, *, cut: bool) -> Answer | Failure:
    """Return the answer with these header lines; `cut` if more of the body was to come."""
    if not 0 < len(lines) <= _LINES or any(len(line) > _LINE_BYTES for line in lines):
        return Failure(Trouble.NETWORK, "the answer has no headers, or too many, or too long ones")
    headers = _headers(lines)
    # Compressed though we asked for none of it: as good as unread, and never unpacked.
    encoded = headers.get(b"content-encoding", "").lower() not in ("", "identity")
    return Answer(
        status=status,
        content_type=headers.get(b"content-type", ""),
        retry_after=headers.get(b"retry-after"),
        location=headers.get(b"location"),
        body=body[:BODY_BYTES],
        cut=cut or len(body) > BODY_BYTES or (encoded and body != b""),
    )


def _headers(lines: Sequence[bytes]) -> dict[bytes, str]:
    headers: dict[bytes, str] = {}
    for line in lines[_start(lines) : _end(lines)]:
        name, colon, value = line.partition(b":")
        if colon:
            headers[name.lower()] = value.strip().decode("latin-1")
    return headers


def _start(lines: Sequence[bytes]) -> int:
    """Return where the last head begins: a proxy's and provisional ones come before it."""
    return max((at for at, line in enumerate(lines) if line.startswith(b"HTTP/")), default=0)


def _end(lines: Sequence[bytes]) -> int | None:
    """Return where the last head ends: trailers come after it."""
    start = _start(lines)
    return next((at for at in range(start, len(lines)) if not lines[at].strip()), None)
