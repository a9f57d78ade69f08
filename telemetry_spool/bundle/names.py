"""The names of what is carried across an air gap. Nothing here creates or opens anything."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from telemetry_spool import paths
from telemetry_spool.paths import Directories

BUNDLE_SUFFIX = ".tar.gz"
RECEIPTS_SUFFIX = ".receipts.jsonl.gz"

MANIFEST = "manifest.json"
"""The first file in a bundle."""

_SUFFIX = ".jsonl"
_ID = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{16}")


class Step(StrEnum):
    """What is being done to a segment that stands in the spool directory under another name.

    The uploader and the quota know no such names and leave these files alone.
    """

    EXPORTING = "exporting"
    """On its way out: taken from the uploader, and copied to the bundle's directory."""
    IMPORTING = "importing"
    """On its way in: a segment as soon as the bundle is known to be whole."""
    RETURNING = "returning"
    """On its way back: a segment as soon as the bundle's directory has it no more."""


_UNDER_WAY = re.compile(
    rf"(?P<segment>.+)\.(?P<bundle>{_ID.pattern})\.(?P<step>{'|'.join(Step)})",
)


@dataclass(frozen=True, slots=True)
class UnderWay:
    """A segment in the spool directory that is on its way into or out of a bundle."""

    segment: str
    bundle: str
    step: Step

    @property
    def name(self) -> str:
        """Its name in the spool directory."""
        return f"{self.segment}.{self.bundle}.{self.step}"


def under_way(name: str) -> UnderWay | None:
    """Tell what a file in the spool directory is on its way to; None for every other file."""
    match = _UNDER_WAY.fullmatch(name)
    if match is None or not is_sealed(match["segment"]):
        return None
    return UnderWay(match["segment"], match["bundle"], Step(match["step"]))


def is_sealed(name: str) -> bool:
    """Tell whether a name is that of a sealed segment."""
    kind = paths.kind_of(name)
    return kind is not None and not kind.active


def is_local(segment: str) -> bool:
    """Tell whether a sealed segment has events of mode `local`."""
    return paths.kind_of(segment) is paths.Kind.SEALED_LOCAL


def new_id(now: datetime, token: bytes) -> str:
    """Return the id of a new bundle: by time in UTC, made unique by the bytes in `token`."""
    return paths.sealed_name(now, token, local=False).removesuffix(_SUFFIX)


def is_id(text: str) -> bool:
    """Tell whether a text is the id of a bundle."""
    return _ID.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class Places:
    """Where a telemetry root keeps what it carries."""

    directories: Directories

    @property
    def spool(self) -> Path:
        """The spool directory."""
        return self.directories.spool

    @property
    def exported(self) -> Path:
        """A directory for each bundle that left, with the events that are not known to be sent."""
        return self.directories.root / "exported"

    @property
    def imported(self) -> Path:
        """A directory for each bundle that arrived: its manifest and the ids of its events."""
        return self.directories.root / "imported"

    @property
    def lock(self) -> Path:
        """Held by the one export or import at a time."""
        return self.directories.root / "carry.lock"
