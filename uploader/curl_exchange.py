"""One request at a time on a handle of curl's, used again and again."""

from __future__ import annotations

import pycurl

from uploader.curl_answers import Answers, is_complete, read
from uploader.curl_failures import failure, took_too_long
from uploader.curl_options import UNEXPECTING, handle_for
from uploader.curl_route import Route
from uploader.outcome import BODY_BYTES, Answer, Failure

_MICROSECONDS = 1e-6
# What comes before, 100 Continue for one, is no answer.
_FINAL = 200
# When the last byte went out, which older libcurl does not know.
_SENT_TIME: int | None = getattr(pycurl, "POSTTRANSFER_TIME_T", None)
_SENT_SIZE: int = getattr(pycurl, "SIZE_UPLOAD_T", pycurl.SIZE_UPLOAD)
# What curl gets into a socket's buffer by looking after it, though the peer takes nothing.
_PUSH_BYTES = 2**16
# Writes of 64 KiB, which are usual, cost a tenth of a drain in batches. What is in curl's buffer
# counts as sent, so on a line that is not fast it must not be much.
_USUAL_BUFFER_BYTES = 2**16
_LARGEST_BUFFER_BYTES = 2**21
_FAST_SECONDS = 1.0


class Exchange:
    """A request and what has come of it so far."""

    def __init__(self, route: Route, connect_timeout: float) -> None:
        """Make a handle for this way; the timeout is in seconds."""
        self.route = route
        self.ticket = 0
        self.started_at = 0.0
        self.posts = True
        """Whether it may be used again."""
        self.due = 0.0
        """When to look whether it takes too long."""
        self._agent = ""
        self._length = 0
        self._lines: list[bytes] = []
        self._body: list[bytes] = []
        self._received = 0
        self._sent = 0
        self._waits_since = 0.0
        self._is_fast = False
        self.handle = handle_for(route, connect_timeout)
        self.handle.setopt(pycurl.HEADERFUNCTION, self._lines.append)
        self.handle.setopt(pycurl.WRITEFUNCTION, self._take)

    def begin(  # noqa: PLR0917 - once an event, and names cost
        self,
        ticket: int,
        body: bytes | None,
        agent: str,
        lines: list[bytes],
        now: float,
        timeout: float,
    ) -> None:
        """Make it a POST of `body`, or OPTIONS without one; the caller hands it to curl.

        It is looked after in `timeout` seconds.
        """
        handle = self.handle
        if body is None:
            self.posts = False
            self._length = 0
            handle.setopt(pycurl.CUSTOMREQUEST, "OPTIONS")
        else:
            self._length = len(body)
            if self._length > _USUAL_BUFFER_BYTES:
                buffer = _LARGEST_BUFFER_BYTES if self._is_fast else _USUAL_BUFFER_BYTES
                handle.setopt(pycurl.UPLOAD_BUFFERSIZE, buffer)
                lines = [*lines, UNEXPECTING]
            handle.setopt(pycurl.POSTFIELDS, body)
        if agent != self._agent:
            self._agent = agent
            handle.setopt(pycurl.USERAGENT, agent)
        handle.setopt(pycurl.HTTPHEADER, lines)
        self.ticket = ticket
        self.started_at = self._waits_since = now
        self.due = now + timeout
        self._sent = 0
        self._received = 0
        self._lines.clear()
        self._body.clear()

    def answer(self, answers: Answers) -> Answer | Failure:
        """Return what has come, when it has come to its end."""
        if self._length > _USUAL_BUFFER_BYTES:
            self._is_fast = self.handle.getinfo(pycurl.TOTAL_TIME) < _FAST_SECONDS
        body = b"".join(self._body)
        again = answers.again(self._lines, body)
        if again is not None:
            return again
        return answers.read(self.handle.getinfo(pycurl.RESPONSE_CODE), self._lines, body)

    def broken(self, code: int, words: str) -> Answer | Failure:
        """Return what has come, when it ended with an error of curl's."""
        self._is_fast = False
        handle = self.handle
        # Who refuses a request may hang up before it is read: then the status is enough.
        refused = code != pycurl.E_OPERATION_TIMEDOUT and self._status() >= 400  # noqa: PLR2004
        if self._received > BODY_BYTES or refused:
            return self._cut()
        return failure(
            code, words, handle.getinfo(pycurl.OS_ERRNO), handle.getinfo(pycurl.HTTP_CONNECTCODE)
        )

    def late(self) -> Answer | Failure:
        """Return what has come when there is no more time."""
        self._is_fast = False
        if self._status():
            return self._cut()  # the status has come, and that is what matters
        sending = int(self.handle.getinfo(_SENT_SIZE)) < self._length
        return took_too_long(f"the {'request' if sending else 'answer'} takes too long")

    def extended(self, now: float, read_timeout: float) -> float | None:
        """Return when to look again, or None if it takes too long now.

        All of an answer has `read_timeout` seconds to come, from the last byte of the request on;
        sending may take any time as long as more than `_PUSH_BYTES` get away in `read_timeout`.
        """
        prepared = self.handle.getinfo(pycurl.PRETRANSFER_TIME)
        if not prepared:  # curl itself limits connecting
            return now + min(read_timeout, 1.0)
        size = int(self.handle.getinfo(_SENT_SIZE))
        if size < self._length:
            if size - self._sent <= _PUSH_BYTES:
                return None
            self._sent = size
            self._waits_since = now
            return now + read_timeout
        sent = self.handle.getinfo(_SENT_TIME) * _MICROSECONDS if _SENT_TIME else prepared
        end = max(self.started_at + sent, self._waits_since) + read_timeout
        return end if end > now else None

    def _status(self) -> int:
        """Return the status of an answer whose headers are all there, else 0."""
        status = int(self.handle.getinfo(pycurl.RESPONSE_CODE)) if is_complete(self._lines) else 0
        return status if status >= _FINAL else 0

    def _cut(self) -> Answer | Failure:
        status = self.handle.getinfo(pycurl.RESPONSE_CODE)
        return read(status, self._lines, b"".join(self._body), cut=True)

    def _take(self, piece: bytes) -> int | None:
        self._body.append(piece)
        self._received += len(piece)
        return None if self._received <= BODY_BYTES else 0  # which ends it
