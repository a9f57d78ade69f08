"""Compression of batches: anybody can undo it, and the same batch is always the same bytes."""

from __future__ import annotations

import gzip
import sys

import pytest

from tests.support.events import event
from uploader.compression import compressor

BATCHES = [
    b"{}\n",
    b"".join(event("A", details=number) + b"\n" for number in range(3000)),
    bytes(range(256)) * 5000,
]


@pytest.fixture(params=["with isal", "without isal"])
def gzip_library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compress with each library that there may be."""
    if request.param == "with isal":
        pytest.importorskip("isal", reason="there is no isal")
    else:
        monkeypatch.setitem(sys.modules, "isal", None)


@pytest.mark.usefixtures("gzip_library")
@pytest.mark.parametrize("batch", BATCHES, ids=len)
def test_gzip_is_gzip(batch: bytes) -> None:
    """Whichever library made it, the standard one reads it."""
    compress = compressor("gzip")

    assert compress is not None
    assert gzip.decompress(compress(batch)) == batch


@pytest.mark.usefixtures("gzip_library")
def test_the_same_batch_is_the_same_bytes() -> None:
    """There is no time in them: a repeated request is the same request."""
    compress = compressor("gzip")

    assert compress is not None
    packed = compress(BATCHES[1])
    assert packed == compress(BATCHES[1])
    assert packed[4:8] == bytes(4)


@pytest.mark.parametrize("batch", BATCHES, ids=len)
def test_zstd_is_zstd(batch: bytes) -> None:
    """With the length in its header, so that a receiver can refuse a bomb before it unpacks it."""
    zstandard = pytest.importorskip("zstandard", reason="there is no zstandard")
    compress = compressor("zstd")

    assert compress is not None
    packed = compress(batch)
    assert zstandard.ZstdDecompressor().decompress(packed) == batch
    assert zstandard.frame_content_size(packed) == len(batch)
    assert packed == compress(batch)


@pytest.mark.parametrize("name", ["gzip", "zstd"])
def test_events_take_a_fifth_of_the_room(name: str) -> None:
    """That is what it is for."""
    if name == "zstd":
        pytest.importorskip("zstandard", reason="there is no zstandard")
    compress = compressor(name)

    assert compress is not None
    assert len(compress(BATCHES[1])) < len(BATCHES[1]) / 5


def test_none_is_none() -> None:
    """A batch goes as it is."""
    assert compressor("none") is None


def test_zstd_without_its_library_is_an_import_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings are checked before: nobody comes here."""
    monkeypatch.setitem(sys.modules, "zstandard", None)

    with pytest.raises(ImportError):
        compressor("zstd")
