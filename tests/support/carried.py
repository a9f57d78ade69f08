"""Bundles for tests: made by the functions themselves, looked at with `tar` and `gzip` alone."""

from __future__ import annotations

import gzip
import json
import tarfile
from collections import Counter
from pathlib import Path
from typing import Any

from telemetry_spool.bundle import answers, arriving, leaving, settling
from telemetry_spool.bundle.answers import Answer
from telemetry_spool.bundle.names import Places
from telemetry_spool.paths import Directories
from telemetry_spool.segment import event_id
from telemetry_spool.spool import utc_now
from tests.conftest import Place

ROOM = 2**26


def event(number: int) -> bytes:
    """Return an event that can be told from every other one."""
    return json.dumps({"event_type": "TEST", "event_details": {"number": number}}).encode()


def events(*numbers: int) -> list[bytes]:
    """Return the events with these numbers."""
    return [event(number) for number in numbers]


def places(place: Place) -> Places:
    """Return what the functions call a telemetry root."""
    return Places(Directories(place.root, place.spool))


def segment(place: Place, number: int, *lines: bytes, acked: str = "", local: bool = False) -> Path:
    """Put a sealed segment into the spool; `acked` is the text of its progress file."""
    place.spool.mkdir(mode=0o700, parents=True, exist_ok=True)
    stem = f"20260310T1200{number:02d}Z-{number:016x}{'.local' if local else ''}"
    path = place.spool / f"{stem}.jsonl"
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    if acked:
        (place.spool / f"{stem}.acked").write_text(acked)
    return path


def export(place: Place, file: Path, *, include_local: bool = False) -> leaving.Exported:
    """Export what is pending."""
    return leaving.export(places(place), file, include_local=include_local, now=utc_now)


def take_in(place: Place, file: Path, *, max_bytes: int = ROOM) -> arriving.Imported:
    """Import a bundle."""
    with file.open("rb") as content:
        return arriving.take_in(places(place), content, max_bytes=max_bytes, now=utc_now)


def settle(place: Place, file: Path) -> settling.Settled:
    """Import receipts."""
    with file.open("rb") as content:
        return settling.settle(places(place), content, now=utc_now)


def answer(bundle: str, line: bytes, *, accepted: bool) -> Answer:
    """Return what a connected machine would say of an event."""
    if accepted:
        return Answer(
            bundle, event_id(line), True, "2026-03-11T08:00:00+00:00", endpoint="https://e"
        )
    return Answer(
        bundle,
        event_id(line),
        False,
        "2026-03-11T08:00:00+00:00",
        reason="HTTP 400",
        status=400,
        response="no",
    )


def write_receipts(file: Path, *said: Answer) -> Path:
    """Write a file of receipts."""
    with file.open("wb") as target:
        answers.write(target, said, "2026-03-11T09:00:00+00:00")
    return file


def in_bundle(file: Path) -> list[bytes]:
    """Return the lines in a bundle."""
    with tarfile.open(file, "r:gz") as archive:
        return [
            line
            for member in archive.getmembers()
            if member.name.endswith(".jsonl")
            for line in archive.extractfile(member).read().splitlines()  # type: ignore[union-attr]
        ]


def manifest_of(file: Path) -> dict[str, Any]:
    """Return the manifest in a bundle."""
    with tarfile.open(file, "r:gz") as archive:
        content: dict[str, Any] = json.load(archive.extractfile("manifest.json"))  # type: ignore[arg-type]
        return content


def answers_in(file: Path) -> list[dict[str, Any]]:
    """Return the answers in a file of receipts."""
    with gzip.open(file) as packed:
        return [json.loads(line) for line in packed][1:-1]


def to_send(place: Place) -> list[bytes]:
    """Return the lines that an uploader would send now."""
    lines = []
    for path in sorted(place.spool.glob("*.jsonl")) if place.spool.exists() else []:
        if ".local." in path.name:
            continue
        progress = path.with_suffix(".acked")
        offset, *beyond = map(int, progress.read_text().split()) if progress.exists() else [0]
        start = 0
        for line in path.read_bytes().splitlines(keepends=True):
            if start >= offset and start not in beyond:
                lines.append(line.removesuffix(b"\n"))
            start += len(line)
    return lines


def drain(place: Place) -> list[bytes]:
    """Do what an uploader does that can send everything at once; return what it sent."""
    sent = to_send(place)
    for path in place.spool.glob("*.jsonl") if place.spool.exists() else []:
        if ".local." not in path.name:
            path.unlink()
    for path in place.spool.glob("*.acked"):
        if not path.with_suffix(".jsonl").exists():
            path.unlink()  # as an uploader's housekeeping does
    return sent


def exported(place: Place) -> list[bytes]:
    """Return the lines that are outstanding."""
    return [
        line
        for path in sorted((place.root / "exported").glob("*/*.jsonl"))
        for line in path.read_bytes().splitlines()
    ]


def on_the_way(place: Place) -> list[str]:
    """Return what stands in the spool under a name that is no segment's."""
    return [name for name in place.names() if name.endswith("ing")]


def once(lines: list[bytes]) -> Counter[bytes]:
    """Return each of these lines, once."""
    return Counter(lines)
