"""One uploader a spool, also where the file system has no `flock`."""

from __future__ import annotations

import errno
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from uploader.lock import UploaderLock

HOLD = """
import errno, sys
from pathlib import Path
import uploader.lock

def no_flock(descriptor, operation):
    raise OSError(errno.ENOTSUP, "Operation not supported")

if sys.argv[2] == "without flock":
    uploader.lock.flock = no_flock
lock = uploader.lock.UploaderLock(Path(sys.argv[1]))
print(lock.acquire(), flush=True)
sys.stdin.read()
"""


@contextmanager
def held(path: Path, how: str) -> Iterator[None]:
    """Let another process hold the lock."""
    command = [sys.executable, "-c", HOLD, str(path), how]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "True\n"
        yield
        process.communicate()


@pytest.fixture(params=["with flock", "without flock"])
def how(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Take the file system's flock away, or not."""

    def no_flock(*_: int) -> None:
        raise OSError(errno.ENOTSUP, "Operation not supported")

    if request.param == "without flock":
        monkeypatch.setattr("uploader.lock.flock", no_flock)
    return str(request.param)


def test_a_second_uploader_does_not_get_the_lock(tmp_path: Path, how: str) -> None:
    """Both would send everything; it gets the lock when the first one ends."""
    path = tmp_path / "uploader.lock"
    with held(path, how):
        lock = UploaderLock(path)
        assert not lock.acquire()

    assert lock.acquire()
    lock.close()


def test_a_file_system_without_any_lock_is_used_with_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Somebody who has such a spool wants it uploaded, and must see to the rest."""

    def no_lock(*_: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("uploader.lock.flock", no_lock)
    monkeypatch.setattr("uploader.lock.lockf", no_lock)
    lock = UploaderLock(tmp_path / "uploader.lock")

    assert lock.acquire()
    lock.close()
    assert "see that no second uploader uses this spool" in caplog.text
