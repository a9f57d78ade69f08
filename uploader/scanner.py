"""Lines read by the compiled part, `lines.c`: a tenth of what they cost Python, or less.

It is there where the package was built with a C compiler, and is loaded with the first event.
Without it, and for lines in which it finds anything odd, `manifest` reads them: the same lines are
events with it and without it.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from struct import Struct
from typing import Any

from telemetry_spool.headers import agent
from telemetry_spool.segment import event_id
from uploader.manifest import Entry

LIBRARY = Path(__file__).with_name("_lines.so")

_ID_BYTES = 32
# The end of a line; where type, date, package and version start, each with its size.
_LINE = Struct("=9I")
_VERSION = 1 << 16 | _LINE.size
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
        self._receipt_bytes = _function(lines.lines_receipt_bytes, size, buffer, size, size)
        self._receipts = _function(
            lines.lines_receipts, None, text, buffer, buffer, size, text, size, buffer
        )
        self._prove()

    def _prove(self) -> None:
        found = self.scan(_PROBE)
        expected = Entry(event_id(_PROBE[:-1]), "A", "B", agent("", ""))
        if found is None or list(found.entries()) != [expected]:
            raise OSError("it does not read lines as it should")

    def scan(self, data: bytes) -> Scanned | None:
        """Read lines, each with its newline; None if one of them takes a closer look."""
        room = self._count(data, len(data))
        lines, ids = bytearray(_LINE.size * room), bytearray(_ID_BYTES * room)
        if not room or not self._scan(
            data, len(data), self._hash, _address(lines), _address(ids), room
        ):
            return None
        return Scanned(self, data, lines, ids)

    def receipts(self, data: bytes, lines: bytearray, ids: bytearray, rest: bytes) -> bytearray:
        """Return a receipt for each line that `scan` has read, with `rest` at its end."""
        count = len(ids) // _ID_BYTES
        out = bytearray(self._receipt_bytes(_address(lines), count, len(rest)))
        self._receipts(data, _address(lines), _address(ids), count, rest, len(rest), _address(out))
        return out


class Scanned:
    """The manifest of lines that were scanned."""

    __slots__ = ("_data", "_ids", "_lines", "_scanner")

    def __init__(self, scanner: Scanner, data: bytes, lines: bytearray, ids: bytearray) -> None:
        """Hold what the scanner has written down of lines in `data`."""
        self._scanner = scanner
        self._data = data
        self._lines = lines
        self._ids = ids

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._ids) // _ID_BYTES

    def entries(self) -> Iterator[Entry]:
        """Yield all of them."""
        # What is in the spans is ASCII: with a letter for each byte they are the same.
        text, ids, end = self._data.decode("latin-1"), self._ids.hex(), 0
        for (
            _,
            type_,
            type_size,
            date,
            date_size,
            name,
            name_size,
            version,
            version_size,
        ) in _LINE.iter_unpack(self._lines):
            start, end = end, end + 2 * _ID_BYTES
            yield Entry(
                ids[start:end],
                text[type_ : type_ + type_size],
                text[date : date + date_size],
                agent(text[name : name + name_size], text[version : version + version_size]),
            )

    def ids(self) -> bytes:
        """Return the ids, 32 bytes each."""
        return bytes(self._ids)

    def receipts(self, rest: str) -> bytearray:
        """Return a receipt for each, one a line, with the members in `rest` behind its own."""
        return self._scanner.receipts(self._data, self._lines, self._ids, rest.encode())

    def part(self, start: int, stop: int) -> Scanned:
        """Return those from number `start` on up to `stop`, or to the end."""
        lines = self._lines[_LINE.size * start : _LINE.size * stop]
        ids = self._ids[_ID_BYTES * start : _ID_BYTES * stop]
        return Scanned(self._scanner, self._data, lines, ids)


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


def _address(buffer: bytearray) -> ctypes.c_void_p:
    return ctypes.cast(ctypes.byref(ctypes.c_char.from_buffer(buffer)), ctypes.c_void_p)


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
