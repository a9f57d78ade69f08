"""Answers as they come from the wire.

The standard library reads them. It hands every header to the parser for mail, which costs more
than all the rest of a request; so the plainest of answers, which is nearly every answer, is taken
apart here, and whatever is the least bit out of the ordinary is left to the library.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from http.client import HTTPException, HTTPResponse, IncompleteRead
from typing import Any

from urllib3 import HTTPHeaderDict
from urllib3.exceptions import InvalidHeader, ProtocolError

from uploader.deadline import BoundedReader
from uploader.outcome import BODY_BYTES

_PIECE_BYTES = 8 * 2**10
_LOWEST_ERROR = 400

# A final answer of HTTP/1.1, with the grammar of RFC 9110 for names and values and no odd end of a
# line. No two of its parts can match the same byte: it takes linear time.
_PLAIN_HEAD = re.compile(
    rb"HTTP/1\.1 ([2-9][0-9]{2}) ([\t -~\x80-\xff]*)\r\n"
    rb"((?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t -~\x80-\xff]*\r\n){1,50})\r\n"
)
_PLAIN_LENGTH = re.compile("[0-9]{1,15}")
_NO_BODY = (204, 304)


class Reply:
    """An answer, with the first `BODY_BYTES` of its body; `cut` if that is not all to read.

    The names of `headers` are in lower case. The other attributes are what urllib3's pool reads of
    a response, or notes on it.
    """

    version_string = "HTTP/1.1"
    length_remaining = 0
    retries: Any = None
    _connection: Any = None
    _pool: Any = None

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes, *, cut: bool) -> None:
        self.status = status
        self.headers = headers
        self.body = body
        self.cut = cut


class Response(HTTPResponse):
    """The standard library's response, to POST and OPTIONS and, of a proxy, to CONNECT."""

    fields: Mapping[str, str]
    """The headers, by names in lower case; `headers` may be missing."""

    def __init__(self, connection: socket.socket, *arguments: Any, **named: Any) -> None:
        reader: Any = BoundedReader(connection)
        super().__init__(reader, *arguments, **named)

    def begin(self) -> None:
        """Read status line and headers. Raises HTTPException, InvalidHeader and OSError."""
        if self._begin_plainly():
            return
        super().begin()
        # A folded header is one line for us.
        items = [(name, value.replace("\r\n", "")) for name, value in self.headers.items()]
        self.fields = fields = HTTPHeaderDict(items)
        if len({length.strip() for length in fields.get("content-length", "").split(",")}) > 1:
            raise InvalidHeader("Content-Length has several values")

    def _begin_plainly(self) -> bool:
        buffered: Any = self.fp
        head = _PLAIN_HEAD.match(buffered.peek())
        if head is None:
            return False
        lines = head[3].decode("latin-1").split("\r\n")[:-1]
        pairs = [line.split(":", 1) for line in lines]
        fields = {name.lower(): value.strip(" \t") for name, value in pairs}
        length = _PLAIN_LENGTH.fullmatch(fields.get("content-length", ""))
        status = int(head[1])
        if (
            length is None
            or len(fields) < len(lines)
            or "transfer-encoding" in fields
            or fields.get("connection", "keep-alive").lower() != "keep-alive"
            or status in _NO_BODY
        ):
            return False
        buffered.read(head.end())
        self.version, self.status, self.reason = 11, status, head[2].decode("latin-1").strip()
        self.code = status
        self.length, self.chunked, self.will_close = int(length[0]), False, False
        self.fields = fields
        return True

    def reply(self) -> Reply:
        """Read the beginning of the body, or what of it comes in time.

        Raises ProtocolError if it breaks off after a status that says that all is well.
        """
        body, whole = b"", False
        try:
            while len(body) <= BODY_BYTES and not whole:
                piece = self.read1(_PIECE_BYTES)
                body += piece
                whole = not piece or self.length == 0
            if not piece and self.length:
                raise IncompleteRead(body, self.length)
        except TimeoutError:
            whole = False  # the status has come, and that is what matters
        except (HTTPException, OSError) as error:
            # Who refuses a request may hang up before it is read: then the status is enough.
            if self.status < _LOWEST_ERROR:
                raise ProtocolError(f"Connection broken: {error!r}", error) from error
            whole = False
        cut = not whole or len(body) > BODY_BYTES
        return Reply(self.status, self.fields, body[:BODY_BYTES], cut=cut)
