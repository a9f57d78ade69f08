"""What a request is made of, to the byte: by itself as Flower sends it, or in a batch."""

from __future__ import annotations

import gzip
import hashlib
import os
import sys
from itertools import count
from pathlib import Path

import pytest

from telemetry_spool import __version__
from telemetry_spool.acks import Ack
from tests.conftest import Place
from tests.support.events import event
from tests.support.requests import Request, one_by_one
from uploader.config import load
from uploader.pieces import Piece, blocks
from uploader.sink import Sink, sink_for

TICKET = 7
OWN_AGENT = f"flwr-telemetry-spool/{__version__}"
LINES = [
    event("A"),
    event("B", version="9.9.9"),
    b'{"event_type": "bare"}',
    b'{"u": "\xc3\xbc" , "spaces":  1 }',
]


def sink(place: Place, **settings: object) -> Sink:
    """Return the sink with these settings."""
    return sink_for(load(settings, place.environ))


def requests(subject: Sink, directory: Path) -> list[Request]:
    """Return the requests for these lines in a segment."""
    return one_by_one(subject.requests(TICKET, pieces(subject, directory)))


def pieces(subject: Sink, directory: Path) -> list[Piece]:
    """Return what is made of a segment with these lines."""
    path = directory / "segment"
    path.write_bytes(b"".join(line + b"\n" for line in LINES))
    descriptor = os.open(path, os.O_RDONLY)
    try:
        found = blocks(descriptor, Ack(), subject.shape, limit=2**20, stop=2**30)
        return [piece for block in found for piece in block]
    finally:
        os.close(descriptor)


def ids(lines: list[bytes]) -> list[bytes]:
    """Return the ids of these lines, as bytes."""
    return [hashlib.sha256(line).digest() for line in lines]


def key(lines: list[bytes]) -> str:
    """Return the key of a batch of these lines."""
    return hashlib.sha256(b"".join(ids(lines))).hexdigest()


def test_an_event_goes_as_flower_sends_it(place: Place, tmp_path: Path) -> None:
    """Its own bytes, without a newline; its package as User-Agent, if it names one."""
    sent = requests(sink(place), tmp_path)

    agents = ["flwr/1.41.0", "flwr/9.9.9", OWN_AGENT, OWN_AGENT]
    assert sent == [
        Request(number, line, {"Content-Type": "application/json", "User-Agent": agent}, id_.hex())
        for number, line, agent, id_ in zip(count(TICKET), LINES, agents, ids(LINES), strict=False)
    ]


def test_events_of_the_same_package_share_their_headers(place: Place, tmp_path: Path) -> None:
    """A carrier that has looked at them once need not do so again, from group to group."""
    subject = sink(place)
    first, second, third, fourth = requests(subject, tmp_path)

    assert third.headers is fourth.headers
    assert first.headers is not second.headers

    last = pieces(subject, tmp_path)[-1]
    assert subject.requests(1, [last])[0].headers is fourth.headers


def test_a_batch_is_its_lines(place: Place, tmp_path: Path) -> None:
    """Each as it was recorded, with its newline; the User-Agent is nobody's but ours."""
    (sent,) = requests(sink(place, sink="ndjson"), tmp_path)

    assert sent == Request(
        TICKET,
        b"".join(line + b"\n" for line in LINES),
        {"Content-Type": "application/x-ndjson", "User-Agent": OWN_AGENT},
        key(LINES),
    )


def test_a_batch_has_as_many_events_as_allowed(place: Place, tmp_path: Path) -> None:
    """And the key of those that are in it."""
    sent = requests(sink(place, sink="ndjson", batch_events=3), tmp_path)

    assert [request.body.split(b"\n")[:-1] for request in sent] == [LINES[:3], LINES[3:]]
    assert [request.key for request in sent] == [key(LINES[:3]), key(LINES[3:])]
    assert [request.ticket for request in sent] == [TICKET, TICKET + 1]


def test_a_batch_of_one_has_a_key_of_its_own(place: Place, tmp_path: Path) -> None:
    """A receiver need not know how many events there are to derive it."""
    sent = requests(sink(place, sink="ndjson", batch_events=1), tmp_path)

    assert [request.key for request in sent] == [key([line]) for line in LINES]


@pytest.mark.parametrize("without_isal", [True, False])
def test_a_compressed_batch_says_how(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, without_isal: bool
) -> None:
    """Its key is that of the lines: a receiver that unpacks it derives the same."""
    if without_isal:
        monkeypatch.setitem(sys.modules, "isal", None)
    (sent,) = requests(sink(place, sink="ndjson", compression="gzip"), tmp_path)

    assert sent.headers["Content-Encoding"] == "gzip"
    assert sent.headers["Content-Type"] == "application/x-ndjson"
    assert sent.key == key(LINES)
    assert gzip.decompress(sent.body).split(b"\n")[:-1] == LINES


def test_zstd_is_another_way_to_compress(place: Place, tmp_path: Path) -> None:
    """Where its library is installed."""
    zstandard = pytest.importorskip("zstandard", reason="there is no zstandard")
    (sent,) = requests(sink(place, sink="ndjson", compression="zstd"), tmp_path)

    assert sent.headers["Content-Encoding"] == "zstd"
    assert zstandard.ZstdDecompressor().decompress(sent.body).split(b"\n")[:-1] == LINES


def test_single_events_are_never_compressed(place: Place, tmp_path: Path) -> None:
    """Flower's endpoint has never seen that."""
    assert requests(sink(place, compression="gzip"), tmp_path) == requests(sink(place), tmp_path)


@pytest.mark.parametrize("kind", ["event", "ndjson"])
def test_authorization_goes_with_every_request(place: Place, tmp_path: Path, kind: str) -> None:
    """Beside what is sent without it."""
    plain = requests(sink(place, sink=kind), tmp_path)
    authorized = requests(sink(place, sink=kind, authorization="Bearer t0ken"), tmp_path)

    assert authorized == [
        request._replace(headers={**request.headers, "Authorization": "Bearer t0ken"})
        for request in plain
    ]


@pytest.mark.parametrize("settings", [{}, {"sink": "ndjson"}, {"compression": "gzip"}])
def test_a_repeated_request_is_the_same(
    place: Place, tmp_path: Path, settings: dict[str, str]
) -> None:
    """From another process, too."""
    assert requests(sink(place, **settings), tmp_path) == requests(
        sink(place, **settings), tmp_path
    )
