"""What the connected machine sends back: which events of a bundle were accepted or rejected.

A file of JSON lines, packed with gzip: a header, an answer a line, and a last line that counts
them. It has no event in it, only ids.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from typing import Any, BinaryIO

from telemetry_spool.bundle.files import CarryError
from telemetry_spool.bundle.names import is_id

FORMAT = "flwr-telemetry-receipts"
VERSION = 1

# An answer has some 300 bytes, and with the first KiB of an endpoint's answer, escaped, 7 KiB.
_LINE_BYTES = 64 * 2**10

# Five million accepted events: more than this is no record of anything.
_FILE_BYTES = 2 * 2**30

_ID = re.compile(r"[0-9a-f]{64}")
_TEXT = 10_000


class BadReceipts(CarryError):
    """A file is no receipts of ours, or not all of them; the message says what is wrong."""

    def __init__(self, message: str) -> None:
        super().__init__(message, os.EX_DATAERR)


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one event of a bundle; `at` is when, ISO 8601 in UTC.

    Accepted by `endpoint`; or rejected for `reason`, with the endpoint's `status` and `response`
    if it was asked at all.
    """

    bundle: str
    id: str
    accepted: bool
    at: str
    endpoint: str | None = None
    reason: str | None = None
    status: int | None = None
    response: str | None = None


def write(file: BinaryIO, answers: Iterable[Answer], created_at: str) -> int:
    """Write a file of receipts; return how many answers it has. Raises OSError."""
    count = 0
    with gzip.GzipFile(filename="", mode="wb", fileobj=file) as packed:
        packed.write(_line({"format": FORMAT, "version": VERSION, "created_at": created_at}))
        for answer in answers:
            said = {name: value for name, value in asdict(answer).items() if value is not None}
            packed.write(_line(said))
            count += 1
        packed.write(_line({"answers": count}))
    return count


def _line(content: dict[str, Any]) -> bytes:
    return json.dumps(content).encode() + b"\n"


def read(file: BinaryIO) -> Iterator[Answer]:
    """Yield the answers in a file of receipts. Raises BadReceipts, at its end too; OSError.

    Whoever acts on them reads all of them first.
    """
    lines = _lines(file)
    header = _object(next(lines, b""))
    if header.get("format") != FORMAT:
        raise BadReceipts(f"the first line does not say that it is {FORMAT}")
    if header.get("version") != VERSION:
        raise BadReceipts(
            f"the receipts have version {str(header.get('version'))[:20]!r} and this "
            f"telemetry-spool knows {VERSION}: update it"
        )
    count, total = 0, None
    for line in lines:
        if total is not None:
            raise BadReceipts("there is more behind the last line")
        content = _object(line)
        if set(content) == {"answers"}:
            total = content["answers"]
        else:
            yield _answer(content)
            count += 1
    if total != count:
        raise BadReceipts(f"it is cut off: there are {count} answers, and no last line says so")


def _lines(file: BinaryIO) -> Iterator[bytes]:
    size = 0
    with gzip.GzipFile(fileobj=file, mode="rb") as packed:
        while True:
            try:
                line = packed.readline(_LINE_BYTES)
            except (EOFError, zlib.error, gzip.BadGzipFile) as error:
                raise BadReceipts(f"it is no gzip file, or cut off or damaged: {error}") from None
            if not line:
                return
            size += len(line)
            if size > _FILE_BYTES or not line.endswith(b"\n"):
                raise BadReceipts("it is longer than receipts are, or cut off")
            yield line


def _object(line: bytes) -> dict[str, Any]:
    try:
        content = json.loads(line.decode())
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise BadReceipts("a line is not one JSON object")
    return content


_KINDS: dict[str, tuple[type, ...]] = {
    "bundle": (str,),
    "id": (str,),
    "accepted": (bool,),
    "at": (str,),
    "endpoint": (str, type(None)),
    "reason": (str, type(None)),
    "status": (int, type(None)),
    "response": (str, type(None)),
}


def _answer(content: dict[str, Any]) -> Answer:
    said = {field.name: content.get(field.name) for field in fields(Answer)}
    for name, value in said.items():
        if not isinstance(value, _KINDS[name]) or (isinstance(value, str) and len(value) > _TEXT):
            raise BadReceipts(f"an answer's {name!r} is missing or wrong")
    answer = Answer(**said)  # type: ignore[arg-type]
    if not is_id(answer.bundle) or not _ID.fullmatch(answer.id):
        raise BadReceipts("an answer is not about an event of a bundle")
    return answer
