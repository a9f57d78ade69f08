"""Real file systems of a few KiB or a few inodes; they take root."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

import pytest

from tests.conftest import DEADLINE_SECONDS


@contextmanager
def tmpfs(directory: Path, options: str) -> Iterator[Path]:
    """Mount a tmpfs with these options, `size=32k` for one; skip where this user may not."""
    directory.mkdir()
    if not mount("-t", "tmpfs", "-o", options, "tmpfs", str(directory)):
        pytest.skip("mounting a small tmpfs takes root")
    try:
        yield directory
    finally:
        unmount(directory)


def mount(*arguments: str) -> bool:
    """Mount something; False if that is not allowed."""
    try:
        done = subprocess.run(
            ["mount", *arguments], check=False, capture_output=True, timeout=DEADLINE_SECONDS
        )
    except FileNotFoundError:
        return False
    return done.returncode == 0


def unmount(directory: Path) -> None:
    """Take away what was mounted last."""
    subprocess.run(["umount", "--lazy", directory], check=True, timeout=DEADLINE_SECONDS)


def use_up_space(disk: Path) -> None:
    """Write a file until there is no byte left."""
    with suppress(OSError), (disk / "filler").open("ab", buffering=0) as file:
        while True:
            file.write(b"x" * 512)


def use_up_inodes(disk: Path) -> None:
    """Make files until there can be no more."""
    with suppress(OSError):
        for number in count():
            (disk / f"filler-{number}").touch()
