"""The compiled part stays within its memory whatever is in a line: sanitizers watch it."""

from __future__ import annotations

import random
import struct
import subprocess
from pathlib import Path

import pytest

from tests.support.environments import REPOSITORY
from tests.support.events import event

SANITIZED = ("-std=c11", "-g", "-O0", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
PIECES = [b"\\", b"\\u", b"\\ud8", b"tru", b"\xe2\x82", b"\xf0\x9f\x8c\xbb"]
PIECES += [bytes([byte]) for byte in b'"{}[],:0-e.\n \x00\xc3\xff']


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the program that scans blocks, compiled with sanitizers."""
    program = tmp_path_factory.mktemp("scan") / "scan"
    source = REPOSITORY / "tests" / "support" / "scan.c"
    command = [
        "cc",
        *SANITIZED,
        "-I",
        str(REPOSITORY / "uploader"),
        "-o",
        str(program),
        str(source),
    ]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no C compiler with sanitizers: {getattr(error, 'stderr', None) or error}")
    return program


def scanned(program: Path, file: Path, blocks: list[bytes]) -> int:
    """Scan blocks; return how many events are in those without an odd line."""
    file.write_bytes(b"".join(struct.pack("=I", len(block)) + block for block in blocks))
    done = subprocess.run([program, file], capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    return int(done.stdout)


def damaged(line: bytes, chance: random.Random) -> bytes:
    """Return a line of which some bytes are others, or more, or less, or are not there at all."""
    changed = bytearray(line)
    for _ in range(chance.choice([0, 0, 0, 1, 3])):
        place = chance.randrange(len(changed) + 1)
        changed[place : place + chance.randrange(4)] = chance.choice(PIECES)
    return bytes(
        changed[: chance.choice([len(changed)] * 7 + [chance.randrange(len(changed) + 1)])]
    )


def test_nothing_outside_is_read_or_written(program: Path, tmp_path: Path) -> None:
    """In 20,000 blocks of one to three lines that are events, or nearly, or were."""
    chance = random.Random(20261123)
    usual = [event("A"), event("ü", details={"x": [1.5, None, "\\"]}), b"{}", b'{"context":{}}']
    blocks = []
    for _ in range(20_000):
        lines = [damaged(chance.choice(usual), chance) for _ in range(chance.randrange(1, 4))]
        blocks.append(b"\n".join(lines) + b"\n" * chance.randrange(2))

    found = scanned(program, tmp_path / "blocks", blocks)

    assert 1_000 < found < 40_000


def test_each_beginning_of_an_event_is_read_within_its_memory(
    program: Path, tmp_path: Path
) -> None:
    """A file may end anywhere."""
    line = (
        '{"event_type": "A", "ü": "€🌻\\u00fc\\\\", "n": [-1.5e-3, 0, true, false, null, {}], '
        '"context": {"date": "1", "flower": {"package_name": "a", "package_version": "1"}}}'
    ).encode()

    blocks = [line[:size] for size in range(len(line) + 1)]
    blocks += [block + b"\n" for block in blocks]

    assert scanned(program, tmp_path / "blocks", blocks) == 1


def test_nesting_is_bounded(program: Path, tmp_path: Path) -> None:
    """The stack is not the line's."""
    deep = [b'{"x":' + b"[" * 1_000_000 + b"\n", b'{"x":' * 1_000_000 + b"\n"]

    assert scanned(program, tmp_path / "blocks", deep) == 0
