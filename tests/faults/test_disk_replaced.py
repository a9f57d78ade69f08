"""Directories that are deleted, moved or replaced while writers and a daemon use them."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Place
from tests.faults.data_drain import event
from tests.faults.disk_daemon import daemon
from tests.faults.table import Fault, survives_each
from tests.support.endpoint import Endpoint

THEN = "writers make it anew; the daemon locks, watches and drains the new one"


def delete_spool(place: Place) -> None:
    """Delete the spool directory, at once: the daemon is deleting files in it."""
    shutil.rmtree(place.spool.rename(place.root / "old"))


def replace_spool(place: Place) -> None:
    """Move the spool directory away and make another."""
    place.spool.rename(place.root / "old")
    place.spool.mkdir(mode=0o700)


def delete_root(place: Place) -> None:
    """Delete everything, at once."""
    shutil.rmtree(place.root.rename(place.root.with_name("old")), ignore_errors=True)


def move_root(place: Place) -> None:
    """Move everything away."""
    place.root.rename(place.root.with_name("elsewhere"))


def delete_lock(place: Place) -> None:
    """Delete the lock file, as somebody does who takes it for a leftover."""
    (place.spool / "uploader.lock").unlink()


ACTS: dict[str, Callable[[Place], None]] = {
    "the spool is deleted": delete_spool,
    "the spool is replaced": replace_spool,
    "the root is deleted": delete_root,
    "the root is moved away": move_root,
    "the lock file is deleted": delete_lock,
}


@survives_each(Fault("disk", f"{what} under a daemon", THEN) for what in ACTS)
@pytest.mark.parametrize("act", ACTS.values(), ids=[what.replace(" ", "-") for what in ACTS])
def test_the_daemon_goes_on_in_the_directory_that_is_there(
    place: Place, act: Callable[[Place], None]
) -> None:
    """What a writer then records arrives; lock and doorbell are those of the new directory."""
    writer = place.open()

    with Endpoint() as endpoint, daemon(place, endpoint, rescan_interval=0.2) as process:
        writer.append(event(1))
        assert endpoint.wait_for(1, accepted=True)
        act(place)
        for number in (2, 3):
            writer.append(event(number))
            assert endpoint.wait_for(number, accepted=True)
        assert is_locked(place.spool / "uploader.lock")
        assert is_watched(place.spool, process.pid)

    assert [request.body for request in endpoint.accepted] == [event(n) for n in (1, 2, 3)]
    assert place.names() == ["uploader.lock"]


def is_locked(path: Path) -> bool:
    """Tell whether a process has a file locked."""
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def is_watched(directory: Path, pid: int) -> bool:
    """Tell whether a process watches a directory; True where that cannot be known."""
    descriptors = Path(f"/proc/{pid}/fdinfo")
    if not descriptors.exists():
        return True
    watched = f"ino:{directory.stat().st_ino:x} "
    return any(watched in path.read_text("ascii") for path in descriptors.iterdir())
