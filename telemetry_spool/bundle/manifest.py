"""The manifest of a bundle: what is in it, to be believed only as far as it can be checked."""

from __future__ import annotations

import json
import os
import re
from dataclasses import asdict, dataclass
from typing import Any

from telemetry_spool.bundle.files import CarryError
from telemetry_spool.bundle.names import is_id, is_local, is_sealed

FORMAT = "flwr-telemetry-bundle"
VERSION = 1

MANIFEST_BYTES = 32 * 2**20
"""Longest manifest: 64 MiB of segments with a single event each make some 15 MiB."""

_SHA256 = re.compile(r"[0-9a-f]{64}")

# Longer ones are no host names and no times.
_LABEL = 255


class BadBundle(CarryError):
    """A file is no bundle, or not a whole one; the message says what is wrong with it."""

    def __init__(self, message: str) -> None:
        super().__init__(message, os.EX_DATAERR)


@dataclass(frozen=True, slots=True)
class Part:
    """One segment in a bundle: `bytes` long, with so many events (lines that are not empty)."""

    name: str
    events: int
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a bundle says of itself. `created_at` is ISO 8601 in UTC."""

    bundle: str
    host: str
    created_at: str
    segments: tuple[Part, ...]

    @property
    def events(self) -> int:
        """How many events it has."""
        return sum(part.events for part in self.segments)

    @property
    def local_events(self) -> int:
        """How many of them were recorded in mode `local`."""
        return sum(part.events for part in self.segments if is_local(part.name))

    @property
    def bytes(self) -> int:
        """How long its segments are together."""
        return sum(part.bytes for part in self.segments)


def render(manifest: Manifest) -> bytes:
    """Return the text of a manifest."""
    content = {
        "format": FORMAT,
        "version": VERSION,
        "bundle": manifest.bundle,
        "host": manifest.host,
        "created_at": manifest.created_at,
        "events": manifest.events,
        "local_events": manifest.local_events,
        "bytes": manifest.bytes,
        "segments": [asdict(part) for part in manifest.segments],
    }
    return json.dumps(content, indent=2).encode() + b"\n"


def parse(text: bytes) -> Manifest:
    """Read a manifest that may be anything. Raises BadBundle."""
    try:
        content = json.loads(text.decode())
    except (ValueError, RecursionError):
        raise BadBundle("the manifest is not JSON") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise BadBundle(f"the manifest does not say that it is a {FORMAT}")
    if content.get("version") != VERSION:
        raise BadBundle(
            f"the bundle has version {str(content.get('version'))[:20]!r} and this telemetry-spool "
            f"knows {VERSION}: update it"
        )
    segments = content.get("segments")
    if not isinstance(segments, list) or not segments:
        raise BadBundle("the manifest names no segments")
    manifest = Manifest(
        bundle=_text(content, "bundle"),
        host=_text(content, "host"),
        created_at=_text(content, "created_at"),
        segments=tuple(_part(entry) for entry in segments),
    )
    if not is_id(manifest.bundle):
        raise BadBundle("the manifest has no id of a bundle")
    if len({part.name for part in manifest.segments}) < len(segments):
        raise BadBundle("the manifest names a segment twice")
    for name in ("events", "bytes"):
        if _number(content, name) != getattr(manifest, name):
            raise BadBundle(f"the manifest's {name} are not the sum of its segments'")
    return manifest


def _part(entry: object) -> Part:
    if not isinstance(entry, dict):
        raise BadBundle("the manifest has a segment that is no object")
    part = Part(
        _text(entry, "name"),
        _number(entry, "events"),
        _number(entry, "bytes"),
        _text(entry, "sha256"),
    )
    if not is_sealed(part.name):
        raise BadBundle(f"the manifest names {part.name!r}, which is no segment's name")
    if not _SHA256.fullmatch(part.sha256):
        raise BadBundle(f"the manifest has no SHA-256 of {part.name}")
    return part


def _text(content: dict[str, Any], name: str) -> str:
    value = content.get(name)
    if not isinstance(value, str) or len(value) > _LABEL or not value.isprintable():
        raise BadBundle(f"the manifest's {name!r} is missing or wrong")
    return value


def _number(content: dict[str, Any], name: str) -> int:
    value = content.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise BadBundle(f"the manifest's {name!r} is missing or wrong")
    return value
