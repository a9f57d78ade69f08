"""The file that a bundle is written to: not there, or whole."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from telemetry_spool.bundle import archive
from telemetry_spool.bundle.files import CarryError, publishing, refuse_to_overwrite, writing
from telemetry_spool.bundle.manifest import BadBundle, Manifest, Part
from telemetry_spool.bundle.outbox import Note, Outbox, lines_of
from telemetry_spool.text import counted

_READ_BYTES = 2**20


def check_place(file: Path) -> None:
    """Raise CarryError if the file cannot be made, before anything is moved."""
    refuse_to_overwrite(file)
    probe = file.with_name(f".{file.name}.tmp")
    try:
        with writing(probe):
            pass
        probe.unlink()
    except OSError as error:
        raise CarryError(
            f"{file} cannot be written: {error.strerror}; nothing has left the spool",
            os.EX_CANTCREAT,
        ) from error


def is_in(file: Path, outbox: Outbox) -> bool:
    """Tell whether a file is the whole of this bundle: a crash came behind its last rename."""
    try:
        with file.open("rb") as content, archive.Archive(content) as bundle:
            if bundle.manifest.bundle != outbox.id:
                return False
            for part in bundle.manifest.segments:
                for _ in bundle.segment(part):
                    pass
            bundle.finish()
    except (OSError, BadBundle):
        return False
    return True


def write_file(outbox: Outbox, note: Note, file: Path) -> None:
    """Write the bundle's file. Raises CarryError, OSError: the events are kept."""
    manifest = Manifest(outbox.id, note.host, note.created_at, tuple(parts_of(outbox)))
    try:
        with publishing(file, temporary_of(file, outbox)) as target:
            archive.write(target, manifest, outbox)
    except OSError as error:
        raise CarryError(
            f"{file} cannot be written: {error.strerror}; {counted(note.events)} wait in "
            f"{outbox.directory}: run this again, with another file if need be",
            os.EX_IOERR,
        ) from error


def temporary_of(file: Path, outbox: Outbox) -> Path:
    """Return the path at which a bundle's file is written before it has its name."""
    return file.with_name(f".{file.name}.{outbox.id}.tmp")


def parts_of(outbox: Outbox) -> Iterator[Part]:
    """Describe what is outstanding of a bundle, for its manifest. Raises OSError."""
    for segment in outbox.segments():
        digest, size = hashlib.sha256(), 0
        with outbox.path(segment.name).open("rb") as file:
            while piece := file.read(_READ_BYTES):
                digest.update(piece)
                size += len(piece)
        events = sum(1 for _ in lines_of(segment.path))
        yield Part(segment.name, events, size, digest.hexdigest())
