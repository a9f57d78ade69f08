"""The least that Python can do to deliver a file: no validation, no ids, no receipts, no progress.

    python -m benchmarks.drain.floors slices|multi|prepared URL FILE [--compression zstd]

`slices` posts pieces of 1 MiB cut at newlines, one after the other. `multi` posts one event a
request through libcurl's multi interface, `prepared` with `requests` and as little of it as works.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

_SLICE_BYTES = 2**20
_NDJSON = {"Content-Type": "application/x-ndjson"}
_JSON = {"Content-Type": "application/json"}


def slices(file: Path) -> Iterator[bytes]:
    """Yield the content of a file in pieces that end with a line, of about 1 MiB."""
    with file.open("rb", buffering=0) as opened:
        rest = b""
        while chunk := opened.read(_SLICE_BYTES - len(rest)):
            end = chunk.rfind(b"\n") + 1
            yield rest + chunk[:end]
            rest = chunk[end:]


def post_slices(url: str, file: Path, compression: str) -> None:
    """Post slices with `requests`, compressed if need be."""
    import requests

    encode = _encoder(compression)
    headers = _NDJSON | ({} if compression == "none" else {"Content-Encoding": compression})
    with requests.Session() as session:
        session.trust_env = False
        for piece in slices(file):
            session.post(url, data=encode(piece), headers=headers, timeout=60).raise_for_status()


def _encoder(compression: str) -> Callable[[bytes], bytes]:
    if compression == "zstd":
        zstandard: Any = import_module("zstandard")
        compressor = zstandard.ZstdCompressor(level=1)
        return lambda piece: bytes(compressor.compress(piece))
    if compression == "gzip":
        igzip: Any = import_module("isal.igzip")
        return lambda piece: bytes(igzip.compress(piece, 1))
    return lambda piece: piece


def post_prepared(url: str, file: Path) -> None:
    """Post one event a request: prepared once, straight to the adapter."""
    import requests
    from requests.adapters import HTTPAdapter

    adapter = HTTPAdapter()
    prepared = requests.Request("POST", url, headers=_JSON, data=b"{}").prepare()
    with file.open("rb") as opened:
        for line in opened:
            prepared.body = line[:-1]
            prepared.headers["Content-Length"] = str(len(line) - 1)
            adapter.send(prepared, timeout=60).raise_for_status()


def post_multi(url: str, file: Path, in_flight: int) -> None:
    """Post one event a request, so many at once, through libcurl."""
    pycurl: Any = import_module("pycurl")

    multi = pycurl.CurlMulti()
    headers = [f"{name}: {value}" for name, value in _JSON.items()]
    free = []
    for _ in range(in_flight):
        handle = pycurl.Curl()
        handle.setopt(pycurl.URL, url)
        handle.setopt(pycurl.PROXY, "")
        handle.setopt(pycurl.POST, 1)
        handle.setopt(pycurl.HTTPHEADER, headers)
        handle.setopt(pycurl.WRITEFUNCTION, len)
        free.append(handle)
    busy, line = 0, b""
    with file.open("rb") as opened:
        while True:
            while free and (line := opened.readline()):
                handle = free.pop()
                handle.setopt(pycurl.POSTFIELDS, line[:-1])
                multi.add_handle(handle)
                busy += 1
            if not busy:
                return
            multi.perform()
            while True:
                queued, done, failed = multi.info_read()
                for handle in done:
                    multi.remove_handle(handle)
                    free.append(handle)
                    busy -= 1
                if failed:
                    raise RuntimeError(failed[0][2])
                if not queued:
                    break
            if busy == in_flight or not line:
                multi.select(1.0)


def main() -> None:
    """Deliver a file."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.drain.floors")
    parser.add_argument("way", choices=("slices", "multi", "prepared"))
    parser.add_argument("url")
    parser.add_argument("file", type=Path)
    parser.add_argument("--compression", choices=("none", "gzip", "zstd"), default="none")
    parser.add_argument("--in-flight", type=int, default=32)
    options = parser.parse_args()
    if options.way == "slices":
        post_slices(options.url, options.file, options.compression)
    elif options.way == "multi":
        post_multi(options.url, options.file, options.in_flight)
    else:
        post_prepared(options.url, options.file)


if __name__ == "__main__":
    main()
