"""Lines read by the compiled part, `lines.c`: a tenth of what they cost Python, or less.

It is there where the package was built with a C compiler, and is loaded with the first event.
Without it, and for lines in which it finds anything odd, `manifest` reads them: the same lines are
events with it and without it.
"""

from __future__ import annotations

import ctypes
import sys
from array import array
from collections.abc import Sequence
from functools import cache, cached_property
from pathlib import Path
from struct import Struct
from typing import Any

from telemetry_spool.headers import agent
from telemetry_spool.segment import event_id
from uploader.manifest import Entry

LIBRARY = Path(__file__).with_name("_lines.so")

_ID_BYTES = 32
# The end of a line; the first in a row of the same package; where type, date, package and version
# start, each with its size.
_LINE = Struct("=10I")
_NUMBERS = _LINE.size // 4
_VERSION = 2 << 16 | _LINE.size
_PROBE = b'{"event_type": "A", "context": {"date": "B"}}\n'


class _Hash(ctypes.Structure):
    """The functions of OpenSSL's that compute a SHA-256, and its name for it."""

    _fields_ = (
        ("new_context", ctypes.c_void_p),
        ("begin", ctypes.c_void_p),
        ("update", ctypes.c_void_p),
        ("end", ctypes.c_void_p),
        ("free_context", ctypes.c_void_p),
        ("algorithm", ctypes.c_void_p),
    )


class Scanner:
    """The compiled part."""

    def __init__(self, library: Path) -> None:
        """Load it. Raises OSError or AttributeError if it is not there, or not as it has to be."""
        lines = ctypes.CDLL(str(library))
        if lines.lines_version() != _VERSION:
            raise OSError("it belongs to another version of this package")
        self._hash = _openssl()
        size, buffer, text = ctypes.c_size_t, ctypes.c_void_p, ctypes.c_char_p
        self._count = _function(lines.lines_count, size, text, size)
        self._scan = _function(
            lines.lines_scan, size, text, size, ctypes.POINTER(_Hash), buffer, buffer, size
        )
        self._receipt_bytes = _function(lines.lines_receipt_bytes, size, buffer, buffer, size, size)
        self._receipts = _function(
            lines.lines_receipts, None, text, buffer, buffer, buffer, size, text, size, buffer
        )
        self._prove()

    def _prove(self) -> None:
        found = self.scan(_PROBE)
        expected = Entry(event_id(_PROBE[:-1]), "A", "B", agent("", ""))
        if found is None or found.entries() != [expected]:
            raise OSError("it does not read lines as it should")

    def scan(self, data: bytes) -> Scanned | None:
        """Read lines, each with its newline; None if one of them takes a closer look."""
        room = self._count(data, len(data))
        lines, ids = _Buffer(_LINE.size * room), _Buffer(_ID_BYTES * room)
        if not room or not self._scan(
            data, len(data), self._hash, lines.address, ids.address, room
        ):
            return None
        return Scanned(self, data, lines, ids)

    def receipts(
        self, data: bytes, lines: _Buffer, ids: _Buffer, numbers: Sequence[int], rest: bytes
    ) -> bytearray:
        """Return a receipt for each of these lines that `scan` has read, with `rest` at its end."""
        wanted = array("I", numbers)
        chosen, count = wanted.buffer_info()
        out = _Buffer(self._receipt_bytes(lines.address, chosen, count, len(rest)))
        self._receipts(
            data, lines.address, ids.address, chosen, count, rest, len(rest), out.address
        )
        return out.bytes


class _Buffer:
    """Bytes that the compiled part writes."""

    __slots__ = ("address", "bytes")

    def __init__(self, size: int) -> None:
        self.bytes = bytearray(size)
        self.address = ctypes.addressof(ctypes.c_char.from_buffer(self.bytes)) if size else None


class Scanned:
    """The manifest of lines that were scanned."""

    def __init__(self, scanner: Scanner, data: bytes, lines: _Buffer, ids: _Buffer) -> None:
        """Hold what the scanner has written down of lines in `data`."""
        self._scanner = scanner
        self._data = data
        self._lines = lines
        self._digests = ids

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._digests.bytes) // _ID_BYTES

    @cached_property
    def ids(self) -> Sequence[str]:
        """The id of each, in hex digits."""
        digits, size = self._digests.bytes.hex(), 2 * _ID_BYTES
        return [digits[start : start + size] for start in range(0, len(digits), size)]

    @cached_property
    def agents(self) -> Sequence[str]:
        """The User-Agent of each."""
        likes = memoryview(self._lines.bytes).cast("I")[1::_NUMBERS].tolist()
        agents = {first: self._agent(first) for first in set(likes)}
        return [agents[first] for first in likes]

    def _agent(self, number: int) -> str:
        name, name_size, version, version_size = self._line(number)[-4:]
        return agent(self._text(name, name_size), self._text(version, version_size))

    def entries(self, first: int = 0, count: int = sys.maxsize) -> Sequence[Entry]:
        """Return so many, or all from the first on."""
        stop = min(first + count, len(self))
        return [self._entry(number) for number in range(first, stop)]

    def _entry(self, number: int) -> Entry:
        _, _, type_, type_size, date, date_size, *_ = self._line(number)
        return Entry(
            self.ids[number],
            self._text(type_, type_size),
            self._text(date, date_size),
            self.agents[number],
        )

    def _line(self, number: int) -> Sequence[int]:
        return _LINE.unpack_from(self._lines.bytes, _LINE.size * number)

    def _text(self, start: int, size: int) -> str:
        """Return what is in a span: it is ASCII."""
        return self._data[start : start + size].decode()

    def digests(self, first: int, count: int) -> bytes:
        """Return the ids of so many, 32 bytes each."""
        return bytes(self._digests.bytes[_ID_BYTES * first : _ID_BYTES * (first + count)])

    def receipts(self, numbers: Sequence[int], rest: str) -> bytearray:
        """Return a receipt for each of these, one a line, with the members in `rest` at its end."""
        return self._scanner.receipts(
            self._data, self._lines, self._digests, numbers, rest.encode()
        )


@cache
def scanner() -> Scanner | None:
    """Return the compiled part, or None where it cannot be used; `why_not` says why."""
    try:
        return Scanner(LIBRARY)
    except (OSError, AttributeError):
        return None


def why_not() -> str:
    """Return why the compiled part cannot be used here, or nothing if it can."""
    if not LIBRARY.exists():
        return "the package was built without a C compiler"
    try:
        Scanner(LIBRARY)
    except (OSError, AttributeError) as error:
        return str(error)
    return ""


def _function(function: Any, result: Any, *arguments: Any) -> Any:
    function.restype = result
    function.argtypes = arguments
    return function


def _openssl() -> _Hash:
    """Return the functions of the library that Python's own `hashlib` uses."""
    import _hashlib

    # Where it is built into Python it may be hidden there; then its functions are not found.
    openssl = ctypes.CDLL(getattr(_hashlib, "__file__", None))
    fetch = openssl.EVP_MD_fetch
    fetch.restype = ctypes.c_void_p
    fetch.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p]
    algorithm = fetch(None, b"SHA256", None)
    if not algorithm:
        raise OSError("OpenSSL has no SHA-256")
    return _Hash(
        *(
            ctypes.cast(function, ctypes.c_void_p)
            for function in (
                openssl.EVP_MD_CTX_new,
                openssl.EVP_DigestInit_ex,
                openssl.EVP_DigestUpdate,
                openssl.EVP_DigestFinal_ex,
                openssl.EVP_MD_CTX_free,
            )
        ),
        algorithm,
    )
