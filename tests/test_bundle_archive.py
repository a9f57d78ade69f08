"""A bundle as a file: what is no whole bundle is refused in one line and leaves nothing."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from telemetry_spool.bundle import archive
from telemetry_spool.bundle.files import CarryError
from telemetry_spool.bundle.manifest import BadBundle
from tests.conftest import Place
from tests.support import carried
from tests.support.carried import event, events

NAME = "20260310T120001Z-0000000000000001.jsonl"
BUNDLE = "20260310T120000Z-00000000000000ff"
LINES = b"".join(line + b"\n" for line in events(1, 2))

Content = dict[str, Any]


def manifest(**changes: object) -> Content:
    """Return the manifest of a bundle with the two events."""
    digest = hashlib.sha256(LINES).hexdigest()
    segments = [{"name": NAME, "events": 2, "bytes": len(LINES), "sha256": digest}]
    content: Content = {"format": "flwr-telemetry-bundle", "version": 1, "bundle": BUNDLE}
    content |= {"host": "away", "created_at": "2026-03-10T12:00:00+00:00", "events": 2}
    return content | {"bytes": len(LINES), "segments": segments} | changes


def part(**changes: object) -> Content:
    """Return a manifest whose only segment is described otherwise."""
    described = manifest()["segments"][0] | changes
    return manifest(segments=[described], events=described["events"], bytes=described["bytes"])


def member(name: str, content: bytes = b"", **changes: Any) -> tuple[tarfile.TarInfo, bytes]:
    """Return a member of an archive."""
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for key, value in changes.items():
        setattr(info, key, value)
    return info, content


def packed(*members: tuple[tarfile.TarInfo, bytes], format_: int = tarfile.USTAR_FORMAT) -> bytes:
    """Return a tar.gz of these members."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w:gz", format=format_) as target:
        for info, content in members:
            target.addfile(info, io.BytesIO(content))
    return raw.getvalue()


def bundle(content: Content, *segments: tuple[tarfile.TarInfo, bytes]) -> bytes:
    """Return a bundle with this manifest."""
    described = member("manifest.json", json.dumps(content).encode())
    return packed(described, *(segments or (member(NAME, LINES),)))


def extended() -> bytes:
    """Return a bundle whose manifest comes behind an extended header of 64 MiB of nothing."""
    text = json.dumps(manifest()).encode()
    info = tarfile.TarInfo("manifest.json")
    info.size = len(text)
    info.pax_headers = {"comment": "x" * 2**26}
    return packed((info, text), member(NAME, LINES), format_=tarfile.PAX_FORMAT)


GOOD = bundle(manifest())
LINK = member(NAME, type=tarfile.SYMTYPE, linkname="/etc/passwd")
OTHER = "20260310T120002Z-0000000000000002.jsonl"

HOSTILE = {
    "empty": b"",
    "text": b"hello\n",
    "gzip of text": gzip.compress(b"hello\n"),
    "cut in the header": GOOD[:5],
    "cut in the middle": GOOD[: len(GOOD) // 2],
    "cut by a byte": GOOD[:-1],
    "a flipped bit": GOOD[:200] + bytes([GOOD[200] ^ 1]) + GOOD[201:],
    "garbage behind": GOOD + b"garbage",
    "another archive behind": GOOD + GOOD,
    "more behind the manifest's segments": bundle(
        manifest(), member(NAME, LINES), member("evil", b"x")
    ),
    "no segment": bundle(manifest(), member("x", b"")),
    "a zip bomb as the manifest": packed(member("manifest.json", bytes(2**26))),
    "an extended header": extended(),
    "a bomb behind the end": gzip.compress(gzip.decompress(GOOD) + bytes(2**26)),
    "a longer segment": bundle(manifest(), member(NAME, LINES + b"{}\n")),
    "a shorter segment": bundle(manifest(), member(NAME, LINES[:-1])),
    "another content": bundle(manifest(), member(NAME, LINES.replace(b"TEST", b"EVIL"))),
    "a path outside": bundle(part(name="../../x.jsonl"), member("../../x.jsonl", LINES)),
    "an absolute path": bundle(part(name="/etc/x"), member("/etc/x", LINES)),
    "an active segment": bundle(
        part(name="host.0.active.jsonl"), member("host.0.active.jsonl", LINES)
    ),
    "a newline in a name": bundle(part(name=f"{NAME}\n"), member(f"{NAME}\n", LINES)),
    "another name in the archive": bundle(manifest(), member(OTHER, LINES)),
    "a link": bundle(manifest(), LINK),
    "a link with a segment behind it": bundle(
        manifest(), member(NAME, LINES, type=tarfile.SYMTYPE, linkname="/etc/passwd")
    ),
    "a hard link": bundle(manifest(), member(NAME, type=tarfile.LNKTYPE, linkname="x")),
    "a directory": bundle(manifest(), member(NAME, type=tarfile.DIRTYPE)),
    "a device": bundle(manifest(), member(NAME, type=tarfile.CHRTYPE)),
    "a FIFO": bundle(manifest(), member(NAME, type=tarfile.FIFOTYPE)),
    "the same segment twice": bundle(
        manifest(segments=manifest()["segments"] * 2, events=4, bytes=2 * len(LINES)),
        member(NAME, LINES),
        member(NAME, LINES),
    ),
    "the wrong number of events": bundle(part(events=3)),
    "sums that are wrong": bundle(manifest(events=5)),
    "a negative size": bundle(part(bytes=-1)),
    "a size that is no number": bundle(manifest(bytes="1")),
    "true for a number": bundle(manifest(events=True)),
    "a wrong hash": bundle(part(sha256="0" * 64)),
    "no hash": bundle(part(sha256="abc")),
    "an id with a path": bundle(manifest(bundle="../../x")),
    "no id": bundle(manifest(bundle=None)),
    "a host that steers the terminal": bundle(manifest(host="\x1b]0;x\x07")),
    "a host without end": bundle(manifest(host="x" * 10_000)),
    "a time that is no text": bundle(manifest(created_at=5)),
    "segments that are none": bundle(manifest(segments={})),
    "a segment that is none": bundle(manifest(segments=[1])),
    "no segments": bundle(manifest(segments=[], events=0, bytes=0)),
    "another format": bundle(manifest(format="zip")),
    "a newer version": bundle(manifest(version=2)),
    "a manifest that is a list": packed(member("manifest.json", b"[]")),
    "a manifest without end": packed(member("manifest.json", b"[" * 10**6)),
    "a manifest that is not UTF-8": packed(member("manifest.json", b"\xff")),
    "a manifest that is a link": packed(
        member("manifest.json", type=tarfile.SYMTYPE, linkname="/etc/passwd")
    ),
}


def write(path: Path, content: bytes) -> Path:
    """Write a file."""
    path.write_bytes(content)
    return path


@pytest.fixture(name="file")
def the_file(tmp_path: Path) -> Callable[[bytes], Path]:
    """Return what writes a bundle."""
    return lambda content: write(tmp_path / "in.tar.gz", content)


def test_the_good_one_is_good(place: Place, file: Callable[[bytes], Path]) -> None:
    """What is wrong with the others is what is changed in it."""
    assert carried.take_in(place, file(GOOD)).added

    assert carried.to_send(place) == events(1, 2)


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE.keys())
def test_what_is_no_whole_bundle_adds_nothing(
    place: Place, file: Callable[[bytes], Path], content: bytes
) -> None:
    """Whatever was staged before it showed is gone, and the whole one can be imported later."""
    with pytest.raises(BadBundle) as refused:
        carried.take_in(place, file(content))

    assert str(refused.value).isprintable()
    assert place.names() == []
    assert list((place.root / "imported").rglob("*")) == []
    assert carried.take_in(place, file(GOOD)).added


@pytest.mark.parametrize("position", range(0, len(GOOD), 7))
def test_a_bundle_cut_anywhere_adds_nothing(
    place: Place, file: Callable[[bytes], Path], position: int
) -> None:
    """A stick that was pulled too early."""
    with pytest.raises(BadBundle):
        carried.take_in(place, file(GOOD[:position]))

    assert place.names() == []


def test_a_bundle_that_does_not_fit_is_refused(place: Place, file: Callable[[bytes], Path]) -> None:
    """It would push older events out of the spool; a bomb says its size, too."""
    carried.segment(place, 1, event(7))
    size = len(LINES) + len(event(7)) + 1

    with pytest.raises(CarryError, match="max_spool_bytes"):
        carried.take_in(place, file(GOOD), max_bytes=size - 1)
    assert carried.to_send(place) == [event(7)]

    assert carried.take_in(place, file(GOOD), max_bytes=size).added


def test_a_bundle_is_an_ordinary_archive(place: Place, tmp_path: Path) -> None:
    """`tar tzf` shows it; its files are private and have the time of the export."""
    carried.segment(place, 1, *events(1, 2))
    carried.export(place, tmp_path / "out.tar.gz")

    with tarfile.open(tmp_path / "out.tar.gz") as made:
        names = [(info.name, info.mode) for info in made.getmembers()]

    assert names == [("manifest.json", 0o600), (NAME, 0o600)]
    assert (tmp_path / "out.tar.gz").stat().st_mode & 0o777 == 0o600


def test_the_archive_takes_little_memory(place: Place, tmp_path: Path) -> None:
    """A segment is read in slices: the largest piece is bounded."""
    line = json.dumps({"padding": "x" * 1000}).encode()
    carried.segment(place, 1, *([line] * 5000))
    carried.export(place, tmp_path / "out.tar.gz")

    with (tmp_path / "out.tar.gz").open("rb") as file, archive.Archive(file) as opened:
        (only,) = opened.manifest.segments
        pieces = [len(piece) for piece in opened.segment(only)]

    assert sum(pieces) == 5000 * (len(line) + 1)
    assert max(pieces) <= 2**18
