"""Compress batches, with the fastest library that is installed. Loaded with the first batch."""

from __future__ import annotations

from collections.abc import Callable

# Events of one program repeat each other: the fastest level takes off nine tenths and more.
_GZIP_LEVEL = 1
_ZSTD_LEVEL = 1

Compress = Callable[[bytes], bytes]


def compressor(name: str) -> Compress | None:
    """Return what compresses as the setting `compression` says; None: nothing does.

    Raises ImportError if there is no library for it.
    """
    match name:
        case "gzip":
            return _gzip()
        case "zstd":
            return _zstd()
        case _:
            return None


def _gzip() -> Compress:
    try:
        from isal import igzip as gzip
    except ImportError:
        import gzip  # type: ignore[no-redef]
    return lambda data: gzip.compress(data, _GZIP_LEVEL, mtime=0)


def _zstd() -> Compress:
    from zstandard import ZstdCompressor

    return ZstdCompressor(level=_ZSTD_LEVEL).compress
