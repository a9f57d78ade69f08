"""What is in the spool and is not ours: nothing waits for it, follows it or touches it."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Place
from tests.faults.data_drain import drain, event, seal, segment_name
from tests.faults.disk_daemon import daemon
from tests.faults.table import Fault, survives, survives_each
from tests.support.endpoint import Endpoint
from uploader.once import Ending

PRECIOUS = event(77) + b"\n"

SEALED = segment_name(1)
OTHER_HOST = "other-host.1000.active.jsonl"

# Bytes: not every name is text.
FOREIGN_NAMES = [
    b"notes.txt",
    b"core",
    b".hidden.jsonl",
    b"x.jsonl",
    b"X" + SEALED.encode(),
    SEALED.encode() + b"\n",
    SEALED.encode() + b"~",
    SEALED.encode().replace(b"jsonl", b"jsonl.gz"),
    SEALED.encode().upper(),
    b"\xff\xfe.active.jsonl",
    b"h\xc3\xb6st.0.active.jsonl",
    b"host.0.active.jsonl\n",
    b"host.root.active.jsonl",
    b"a\nb.jsonl",
    b"notes.acked",
    b"notes.tmp",
]


def put_directory(path: Path, _: Path) -> None:
    """Put a directory with something in it."""
    path.mkdir()
    (path / "precious").write_bytes(PRECIOUS)


def put_link(path: Path, victim: Path) -> None:
    """Put a link to a file with an event."""
    path.symlink_to(victim)


def put_fifo(path: Path, _: Path) -> None:
    """Put a FIFO, which would keep a reader waiting for ever."""
    os.mkfifo(path)


def put_socket(path: Path, _: Path) -> None:
    """Put a socket."""
    os.mknod(path, stat.S_IFSOCK | 0o600)


def put_null(path: Path, _: Path) -> None:
    """Put the device that is always empty."""
    _put_device(path, 3)


def put_zero(path: Path, _: Path) -> None:
    """Put the device that never ends."""
    _put_device(path, 5)


def _put_device(path: Path, minor: int) -> None:
    try:
        os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, minor))
    except PermissionError:
        pytest.skip("making a device takes root")


THINGS = {
    "a directory": put_directory,
    "a link": put_link,
    "a FIFO": put_fifo,
    "a socket": put_socket,
    "/dev/null": put_null,
    "/dev/zero": put_zero,
}


@survives_each(
    Fault("data", f"{what} has the name of a segment", "it is left alone, the others arrive")
    for what in THINGS
)
@pytest.mark.parametrize("name", [SEALED, OTHER_HOST, "own"], ids=["sealed", "other-host", "own"])
@pytest.mark.parametrize("put", THINGS.values())
def test_a_thing_with_the_name_of_a_segment_is_left_alone(
    place: Place, tmp_path: Path, put: Callable[[Path, Path], None], name: str
) -> None:
    """Writer, quota and uploader pass it by; it is as it was."""
    victim = tmp_path / "victim"
    victim.write_bytes(PRECIOUS)
    seal(place, 2, event(2) + b"\n")
    path = place.active() if name == "own" else place.spool / name
    put(path, victim)
    os.utime(path, (1e9, 1e9), follow_symlinks=False)
    before = path.lstat()

    place.open(max_segment_bytes=4096, max_spool_bytes=65536).append(event(3))
    with Endpoint() as endpoint:
        drained = drain(place, endpoint)

    assert drained.delivered == Counter([event(2), event(3)])
    assert drained.ending is Ending.DRAINED
    after = path.lstat()
    assert (after.st_ino, after.st_mode, after.st_rdev, after.st_size) == (
        before.st_ino,
        before.st_mode,
        before.st_rdev,
        before.st_size,
    )
    assert victim.read_bytes() == PRECIOUS
    assert place.names() == sorted([path.name, "uploader.lock"])


@survives("data", "foreign files are in the spool", "they are never read, changed or deleted")
def test_foreign_files_are_left_alone(place: Place) -> None:
    """Names with newlines and names that are no text are names like others."""
    seal(place, 2, event(2) + b"\n")
    put_foreign(place)

    with Endpoint() as endpoint:
        drained = drain(place, endpoint)

    assert drained.delivered == Counter([event(2)])
    assert foreign(place) == dict.fromkeys(FOREIGN_NAMES, PRECIOUS)


@survives("data", "foreign files appear beside a daemon", "it goes on to hear of new events")
def test_the_daemon_hears_of_new_events_beside_foreign_files(place: Place) -> None:
    """With a rescan only once an hour, it is the file system that has to tell it."""
    place.spool.mkdir(parents=True)

    with Endpoint() as endpoint, daemon(place, endpoint, rescan_interval=3600):
        place.open().append(event(1))
        assert endpoint.wait_for(1, accepted=True)
        put_foreign(place)
        place.open().append(event(2))
        assert endpoint.wait_for(2, accepted=True)

    assert [request.body for request in endpoint.accepted] == [event(1), event(2)]
    assert foreign(place) == dict.fromkeys(FOREIGN_NAMES, PRECIOUS)


def put_foreign(place: Place) -> None:
    """Put files that are none of ours into the spool."""
    for name in FOREIGN_NAMES:
        with open(os.path.join(os.fsencode(place.spool), name), "wb") as file:
            file.write(PRECIOUS)


def foreign(place: Place) -> dict[bytes, bytes]:
    """Return the content of every file in the spool that is none of ours."""
    directory = os.fsencode(place.spool)
    contents = {}
    for name in os.listdir(directory):
        if name != b"uploader.lock":
            with open(os.path.join(directory, name), "rb") as file:
                contents[name] = file.read()
    return contents
