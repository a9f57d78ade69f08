"""A bundle as a file: an ordinary tar.gz, of which only the simplest kind is read.

`tarfile` writes it. Reading goes by its headers alone: a plain file under the very name and of the
very size that the manifest gives, one after the other. There is nothing in it that could name a
path, be a link, grow without limit, or be taken for something else.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
import zlib
from collections.abc import Iterator
from datetime import datetime
from types import TracebackType
from typing import BinaryIO

from telemetry_spool.bundle.manifest import MANIFEST_BYTES, BadBundle, Manifest, Part, parse, render
from telemetry_spool.bundle.names import MANIFEST
from telemetry_spool.bundle.outbox import Outbox

_BLOCK = tarfile.BLOCKSIZE

# What follows the last file: zeros up to the size of a record, which is 10 KiB for every tar.
_TAIL_BYTES = 2**20

_SLICE_BYTES = 256 * 2**10

_FILE_MODE = 0o600


def write(file: BinaryIO, manifest: Manifest, outbox: Outbox) -> None:
    """Write a bundle's segments behind its manifest: the same bytes each time. Raises OSError."""
    modified = int(datetime.fromisoformat(manifest.created_at).timestamp())

    def header(name: str, size: int) -> tarfile.TarInfo:
        info = tarfile.TarInfo(name)
        info.size, info.mtime, info.mode = size, modified, _FILE_MODE
        return info

    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=modified) as packed,
        tarfile.open(fileobj=packed, mode="w|", format=tarfile.USTAR_FORMAT) as archive,
    ):
        text = render(manifest)
        archive.addfile(header(MANIFEST, len(text)), io.BytesIO(text))
        for part in manifest.segments:
            with outbox.path(part.name).open("rb") as segment:
                archive.addfile(header(part.name, part.bytes), segment)


class Archive:
    """A bundle that is read from its beginning to its end, once; nothing in it is believed."""

    def __init__(self, file: BinaryIO) -> None:
        """Read the manifest. Raises BadBundle, OSError."""
        self._packed = gzip.GzipFile(fileobj=file, mode="rb")
        size = self._header(MANIFEST)
        if not 0 <= size <= MANIFEST_BYTES:
            raise BadBundle(f"the manifest is not of 0 to {MANIFEST_BYTES:,} bytes")
        self.manifest = parse(b"".join(self._content(size)))

    def __enter__(self) -> Archive:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._packed.close()

    def segment(self, part: Part) -> Iterator[bytes]:
        """Yield the bytes of the next segment, which must be `part`. Raises BadBundle, OSError.

        At its end their SHA-256 has been compared.
        """
        if self._header(part.name) != part.bytes:
            raise BadBundle(f"{part.name} is not as long as the manifest says")
        digest = hashlib.sha256()
        for piece in self._content(part.bytes):
            digest.update(piece)
            yield piece
        if digest.hexdigest() != part.sha256:
            raise BadBundle(f"{part.name} has changed: its SHA-256 is not that of the manifest")

    def finish(self) -> None:
        """Read what follows the last segment: nothing may. Raises BadBundle, OSError."""
        rest = self._read(_TAIL_BYTES)
        if len(rest) < 2 * _BLOCK:
            raise BadBundle("the file is cut off")
        if rest.strip(b"\0") or len(rest) == _TAIL_BYTES:
            raise BadBundle("there is more in the file than the manifest names")

    def _header(self, name: str) -> int:
        """Read the header of a plain file of this name; return its size in bytes."""
        block = self._read(_BLOCK)
        try:
            info = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        except tarfile.HeaderError:
            raise BadBundle(f"{name} is not where it should be, or the file is cut off") from None
        if info.name != name or info.type not in (tarfile.REGTYPE, tarfile.AREGTYPE):
            raise BadBundle(f"there is something else where {name} should be")
        return info.size

    def _content(self, size: int) -> Iterator[bytes]:
        left = size
        while left:
            piece = self._read(min(left, _SLICE_BYTES))
            if not piece:
                raise BadBundle("the file is cut off")
            left -= len(piece)
            yield piece
        padding = -size % _BLOCK
        if len(self._read(padding)) < padding:
            raise BadBundle("the file is cut off")

    def _read(self, size: int) -> bytes:
        """Read `size` bytes, fewer at the end."""
        try:
            return self._packed.read(size)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise BadBundle(f"it is no gzip file, or cut off or damaged: {error}") from None
