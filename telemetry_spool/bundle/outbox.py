"""One bundle on the machine that exported it: its events that are not known to be sent.

`exported/ID/` has the segments under the names that they had in the spool, and a note. A bundle
without a note never left: whatever is in it, no file of it exists anywhere.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from telemetry_spool.bundle.files import CarryError, replacing, sync_directory
from telemetry_spool.bundle.names import Places, is_id
from telemetry_spool.listing import SegmentFile, list_segments, open_segment
from telemetry_spool.segment import Line, read_lines
from telemetry_spool.writer_settings import LARGEST_EVENT_BYTES

_NOTE = "bundle.json"

# A bundle that is done with gets this name first: half deleted, it must not look like a new one.
_DONE = ".done"


@dataclass(frozen=True, slots=True)
class Note:
    """What a bundle is once all its events are together. Times are ISO 8601 in UTC.

    `file` is where it was written; None until it has been.
    """

    host: str
    created_at: str
    events: int
    file: str | None = None


@dataclass(frozen=True, slots=True)
class Outbox:
    """The directory of one exported bundle."""

    directory: Path

    @property
    def id(self) -> str:
        """The bundle's id."""
        return self.directory.name

    def segments(self) -> list[SegmentFile]:
        """Return what is outstanding, in the order of names. Raises OSError."""
        found = list_segments(str(self.directory))
        return [segment for segment in found if not segment.kind.active]

    def path(self, segment: str) -> Path:
        """Return the path of a segment of this name."""
        return self.directory / segment

    def events(self) -> int:
        """Count what is outstanding. Raises OSError."""
        return sum(1 for segment in self.segments() for _ in lines_of(segment.path))

    def note(self) -> Note | None:
        """Read the note; None if the events are not together yet.

        Raises CarryError if it cannot be understood.
        """
        path = self.directory / _NOTE
        try:
            content = json.loads(path.read_bytes())
            return Note(**{field.name: content[field.name] for field in fields(Note)})
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError) as error:
            raise CarryError(
                f"{path} is damaged: telemetry-spool export --take-back {self.id}", os.EX_DATAERR
            ) from error

    def save(self, note: Note) -> None:
        """Write the note. Raises OSError."""
        with replacing(self.directory / _NOTE) as file:
            file.write(json.dumps(asdict(note), indent=2).encode() + b"\n")

    def retire(self) -> None:
        """Delete the directory: nothing in it is outstanding. Raises OSError."""
        done = self.directory.with_name(self.id + _DONE)
        self.directory.rename(done)
        sync_directory(done.parent)
        shutil.rmtree(done)


def outboxes(places: Places) -> list[Outbox]:
    """Return the bundles that were exported and have not been settled, the oldest first."""
    return [Outbox(path) for path in _directories(places) if is_id(path.name)]


def clear_done(places: Places) -> None:
    """Delete what a crash left of bundles that are done with."""
    for path in _directories(places):
        if path.name.endswith(_DONE) and is_id(path.name.removesuffix(_DONE)):
            shutil.rmtree(path)


def _directories(places: Places) -> list[Path]:
    with suppress(FileNotFoundError):
        return sorted(path for path in places.exported.iterdir() if path.is_dir())
    return []


def the_outbox(places: Places, beginning: str) -> Outbox:
    """Return the bundle whose id begins so. Raises CarryError unless there is exactly one."""
    found = [outbox for outbox in outboxes(places) if outbox.id.startswith(beginning)]
    if len(found) != 1:
        raise CarryError(
            f"{len(found) or 'no'} outstanding bundles have an id that begins with {beginning!r}: "
            "telemetry-spool export --list shows all",
            os.EX_USAGE,
        )
    return found[0]


def lines_of(path: str | Path) -> Iterator[Line]:
    """Yield the lines of a file of this machine's own. Raises OSError."""
    descriptor = open_segment(str(path))
    try:
        yield from read_lines(descriptor, limit=LARGEST_EVENT_BYTES)
    finally:
        os.close(descriptor)
