"""Import a bundle: its segments become segments of this spool, once.

1. Every segment is written into the spool directory under a name that nobody sends, and checked.
2. `imported/ID/manifest.json` is written: the bundle is whole and has been imported.
3. Every segment gets its sealed name; from then on the uploader has it.

A crash before 2 leaves nothing that counts; after it, the next import or export of receipts ends 3.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from telemetry_spool import paths
from telemetry_spool.bundle import manifest as manifests
from telemetry_spool.bundle.archive import Archive
from telemetry_spool.bundle.files import (
    CarryError,
    alone,
    make_directory,
    on_the_way,
    replacing,
    sync_directory,
    writing,
)
from telemetry_spool.bundle.manifest import BadBundle, Manifest, Part
from telemetry_spool.bundle.names import MANIFEST, Places, Step, UnderWay, is_id
from telemetry_spool.bundle.outbox import lines_of
from telemetry_spool.listing import list_segments
from telemetry_spool.segment import event_id

_IDS = "ids"
_ID_BYTES = 64


@dataclass(frozen=True, slots=True)
class Arrival:
    """The directory of one imported bundle."""

    directory: Path

    @property
    def id(self) -> str:
        """The bundle's id."""
        return self.directory.name

    @property
    def complete(self) -> bool:
        """Whether the bundle has been imported."""
        return (self.directory / MANIFEST).exists()

    def event_ids(self) -> Iterator[str]:
        """Yield the id of each event that the bundle brought. Raises OSError.

        Somebody may have deleted them to make room: nothing is known of the events then.
        """
        with suppress(FileNotFoundError), (self.directory / _IDS).open(encoding="ascii") as file:
            for line in file:
                yield line[:_ID_BYTES]


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did: `added` is False if this bundle had been imported before."""

    manifest: Manifest
    added: bool


def arrivals(places: Places) -> list[Arrival]:
    """Return the bundles that were imported, the oldest first."""
    return [arrival for arrival in _directories(places) if arrival.complete]


def _directories(places: Places) -> list[Arrival]:
    with suppress(FileNotFoundError):
        return [Arrival(path) for path in sorted(places.imported.iterdir()) if is_id(path.name)]
    return []


def take_in(
    places: Places, file: BinaryIO, *, max_bytes: int, now: Callable[[], datetime]
) -> Imported:
    """Add a bundle's events to the spool, which may then have `max_bytes`.

    Raises BadBundle or another CarryError, then nothing is added; OSError.
    """
    with alone(places):
        finish(places)
        with Archive(file) as archive:
            arrival = Arrival(places.imported / archive.manifest.bundle)
            if arrival.complete:
                return Imported(archive.manifest, added=False)
            _check_fit(places, archive.manifest, max_bytes)
            for directory in (places.spool, arrival.directory):
                make_directory(directory)
            try:
                _stage(places, archive, arrival, now)
            except BaseException:
                finish(places)  # it has no manifest yet: what was written goes
                raise
        finish(places)
        return Imported(archive.manifest, added=True)


def check(places: Places, file: BinaryIO, *, max_bytes: int) -> Imported:
    """Say what an import would do, having read all of the bundle. Raises BadBundle, OSError."""
    with Archive(file) as archive:
        arrival = Arrival(places.imported / archive.manifest.bundle)
        if not arrival.complete:
            _check_fit(places, archive.manifest, max_bytes)
            for part in archive.manifest.segments:
                for _ in archive.segment(part):
                    pass
            archive.finish()
        return Imported(archive.manifest, added=not arrival.complete)


def room(places: Places, max_bytes: int) -> int:
    """Return how many bytes the spool may grow before events give way. Raises OSError."""
    return max_bytes - sum(segment.size for segment in list_segments(str(places.spool)))


def _check_fit(places: Places, manifest: Manifest, max_bytes: int) -> None:
    if (places.exported / manifest.bundle).exists():
        raise CarryError(
            f"bundle {manifest.bundle} was exported here: telemetry-spool export --take-back "
            f"{manifest.bundle} brings its events back",
            os.EX_USAGE,
        )
    if manifest.bytes > room(places, max_bytes):
        raise CarryError(
            f"the bundle has {manifest.bytes:,} bytes and the spool has room for "
            f"{max(0, room(places, max_bytes)):,}: let the uploader send first, or raise "
            "max_spool_bytes",
            os.EX_CANTCREAT,
        )


def _stage(places: Places, archive: Archive, arrival: Arrival, now: Callable[[], datetime]) -> None:
    with replacing(arrival.directory / _IDS) as ids:
        for part in archive.manifest.segments:
            name = paths.sealed_name(now(), os.urandom(8), local=False)
            staged = places.spool / UnderWay(name, arrival.id, Step.IMPORTING).name
            with writing(staged) as segment:
                for piece in archive.segment(part):
                    segment.write(piece)
            _note_ids(staged, part, ids)
        archive.finish()
    sync_directory(places.spool)
    with replacing(arrival.directory / MANIFEST) as file:
        file.write(manifests.render(archive.manifest))


def _note_ids(staged: Path, part: Part, ids: BinaryIO) -> None:
    events = 0
    for line in lines_of(staged):
        ids.write(event_id(line.data).encode() + b"\n")
        events += 1
    if events != part.events:
        raise BadBundle(f"{part.name} has {events} events, not {part.events} as the manifest says")


def finish(places: Places) -> None:
    """End what a crash interrupted: segments of a whole bundle are added, others deleted."""
    known = {arrival.id for arrival in arrivals(places)}
    staged = on_the_way(places.spool, Step.IMPORTING)
    for arriving in staged:
        path = places.spool / arriving.name
        if arriving.bundle in known:
            path.rename(places.spool / arriving.segment)
        else:
            path.unlink()
    if staged:
        sync_directory(places.spool)
    for arrival in _directories(places):
        if not arrival.complete:
            shutil.rmtree(arrival.directory)
