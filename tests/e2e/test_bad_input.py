"""Corrupt lines and files that are not ours: they are set aside or left, and stop nothing."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from telemetry_spool.writer_settings import LARGEST_EVENT_BYTES
from tests.e2e.conftest import Site, bodies, lines
from tests.support.endpoint import Endpoint

BAD = {
    "not JSON: Expecting value": b"RUN \xc3\xbc",
    "not JSON: Extra data": b'{"a": 1}{"b": 2}',
    "not JSON: 'utf-8' codec": b'{"a": "\xff\xfe"}',
    "not JSON: Invalid control": b'{"a": "\x00"}',
    "not JSON: maximum recursion": b'{"a": ' * 5000,
    "not JSON: Unterminated": b'{"a": "cut in the mid',
    "not one JSON object": b"[1, 2, 3]",
    "longer than any event": b'{"a": "' + b"x" * LARGEST_EVENT_BYTES + b'"}',
}

SEALED = "20260310T120000Z-{:016x}"


def put(site: Site, number: int, *content: bytes) -> None:
    """Write a sealed segment with this number."""
    site.place.spool.mkdir(parents=True, exist_ok=True)
    data = b"".join(line + b"\n" for line in content)
    (site.place.spool / f"{SEALED.format(number)}.jsonl").write_bytes(data)


def test_bad_lines_are_set_aside_and_good_ones_delivered(site: Site, endpoint: Endpoint) -> None:
    """Wherever they stand; their bytes are in the dead letters."""
    good = lines(range(len(BAD) + 1))
    mixed = [line for pair in zip(good, BAD.values(), strict=False) for line in pair]
    put(site, 1, *mixed, b"", b"", good[-1])

    assert site.uploader("once").code == 0

    assert bodies(endpoint) == dict.fromkeys(good, 1)
    assert site.place.names() == ["uploader.lock"]
    letters = site.rejected()
    for (reason, bad), letter in zip(BAD.items(), letters, strict=True):
        assert letter["reason"].startswith(reason)
        assert letter["status"] is None
        assert bad.startswith(
            json.dumps(letter["event"]).encode()
            if "event" in letter
            else letter["raw"].encode("utf-8", "surrogateescape")
        )


def test_a_segment_of_noise_stops_no_other(site: Site, endpoint: Endpoint) -> None:
    """Sectors of zeros and of anything, as a failing disk leaves them."""
    good = lines(range(3))
    put(site, 1, bytes(100_000))
    put(site, 2, bytes(range(256)) * 400)
    put(site, 3, *good)

    assert site.uploader("once").code == 0

    assert bodies(endpoint) == dict.fromkeys(good, 1)
    assert site.place.names() == ["uploader.lock"]


@pytest.fixture
def foreign(site: Site, tmp_path: Path) -> Iterator[dict[str, str]]:
    """Put things that are not ours into the spool; return their names and what they are."""
    spool = site.place.spool
    spool.mkdir(parents=True)
    elsewhere = tmp_path / "precious.jsonl"
    elsewhere.write_bytes(b'{"event_type": "PRECIOUS"}\n')

    (spool / "notes.txt").write_text("mine\n")
    (spool / ".nfs000000000000000100000001").write_text("{}\n")
    (spool / "events.jsonl").write_text("{}\n")
    (spool / f"{SEALED.format(1)}.jsonl.bak").write_text("{}\n")
    (spool / f"{SEALED.format(2)}.jsonl").mkdir()
    (spool / f"{SEALED.format(2)}.jsonl" / "inside").write_text("{}\n")
    os.mkfifo(spool / f"{SEALED.format(3)}.jsonl")
    (spool / f"{SEALED.format(4)}.jsonl").symlink_to(elsewhere)
    (spool / f"{SEALED.format(5)}.jsonl").symlink_to("nowhere")
    (spool / "other-host.1000.active.jsonl").symlink_to(elsewhere)
    with socket.socket(socket.AF_UNIX) as listener:
        before = Path.cwd()
        os.chdir(spool)  # the path of a socket must be short
        listener.bind(f"{SEALED.format(6)}.jsonl")
        os.chdir(before)
        yield survey(spool)
    assert elsewhere.read_bytes() == b'{"event_type": "PRECIOUS"}\n'


def survey(directory: Path) -> dict[str, str]:
    """Return the names in a directory and what they are, down to inode and content."""
    found = {}
    for path in directory.rglob("*"):
        status = path.lstat()
        content = path.read_text() if path.is_file() and not path.is_symlink() else ""
        found[str(path.relative_to(directory))] = f"{status.st_ino} {status.st_mode} {content}"
    return found


def test_what_is_not_ours_is_left_and_delays_nothing(
    site: Site, endpoint: Endpoint, foreign: dict[str, str]
) -> None:
    """Not deleted, not followed, not waited for; and every command works beside it."""
    events = lines(range(5))
    put(site, 7, *events[:3])
    site.record(events[3:])

    with site.daemon() as daemon:
        assert endpoint.wait_for(len(events), accepted=True)
        site.wait_until("idle")
        assert site.uploader("status").code == 0
        assert site.telemetry_spool("list").stdout == ""
        assert daemon.stop() == 0

    left = survey(site.place.spool)
    assert left.pop("uploader.lock")
    assert left == foreign
    assert bodies(endpoint) == dict.fromkeys(events, 1)
