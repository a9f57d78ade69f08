"""As much of HTTP/1.1 as shippers speak, read with as little work as Python can do it with."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from importlib import import_module
from typing import Any, NamedTuple

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

_LENGTH = b"\r\nContent-Length: "
_ENCODING = b"\r\nContent-Encoding: "


class Request(NamedTuple):
    """A request whose body has arrived; `encoding` is what `Content-Encoding` says."""

    body: bytes
    encoding: bytes


class Parser:
    """What has come in on one connection."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._needed = 0
        self.expecting = False
        """Whether the client waits for `100 Continue` before it sends the body."""

    def feed(self, chunk: bytes) -> Iterable[Request]:
        """Return the requests that are whole with `chunk`. Raises ValueError if it is no HTTP."""
        data = self._data
        if not data and (body := _alone(chunk)) is not None:
            return (Request(body, b""),)
        return self._read(data, chunk)

    def _read(self, data: bytearray, chunk: bytes) -> Iterator[Request]:
        data += chunk
        while len(data) >= self._needed and (end := data.find(b"\r\n\r\n")) >= 0:
            head = bytes(data[:end]).lower()
            found = _body(data, end + 4, head)
            if found is None:
                return
            body, after = found
            if len(data) < after:
                self._needed = after
                self.expecting = b"\r\nexpect: 100" in head and len(data) == end + 4
                return
            self._needed = 0
            del data[:after]
            yield Request(body, _field(head, b"content-encoding"))


def _alone(chunk: bytes) -> bytes | None:
    """Return the body if this is one small plain request, as nearly all are; None if unsure."""
    end = chunk.find(b"\r\n\r\n")
    at = chunk.find(_LENGTH, 0, end)
    if at < 0 or chunk.find(_ENCODING, 0, end) >= 0:
        return None
    begin = at + len(_LENGTH)
    length = int(chunk[begin : chunk.find(b"\r", begin, end + 1)])
    return chunk[end + 4 :] if len(chunk) == end + 4 + length else None


def decoded(request: Request) -> bytes:
    """Return the body of a request without its encoding. Raises ValueError for an unknown one."""
    match request.encoding:
        case b"" | b"identity":
            return request.body
        case b"gzip":
            return zlib.decompress(request.body, wbits=31)
        case b"zstd":
            zstandard: Any = import_module("zstandard")
            return bytes(zstandard.ZstdDecompressor().decompressobj().decompress(request.body))
    raise ValueError(f"unknown Content-Encoding {request.encoding!r}")


def _body(data: bytearray, begin: int, head: bytes) -> tuple[bytes, int] | None:
    """Return the body and where it ends, as far as it is there; None if nobody knows the end."""
    if b"\r\ntransfer-encoding: chunked" not in head:
        end = begin + int(_field(head, b"content-length") or 0)
        return bytes(memoryview(data)[begin:end]) if len(data) >= end else b"", end
    pieces: list[bytes] = []
    while (line := data.find(b"\r\n", begin)) >= 0:
        size = int(data[begin:line].split(b";")[0], 16)
        begin = line + 2 + size + 2
        if len(data) < begin:
            return None
        if size == 0:
            return b"".join(pieces), begin
        pieces.append(bytes(data[line + 2 : line + 2 + size]))
    return None


def _field(head: bytes, name: bytes) -> bytes:
    found = head.find(b"\r\n" + name + b":")
    if found < 0:
        return b""
    begin = found + len(name) + 3
    end = head.find(b"\r\n", begin)
    return head[begin : end if end >= 0 else None].strip()
