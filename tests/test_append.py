"""The append protocol: into the shared file where that is safe, else into a file of its own."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from telemetry_spool.appending import Unsuitable, append_lines, append_new, try_lock
from tests.conftest import UNPRIVILEGED, Place, run_python

LOCK_AND_WAIT = """
import fcntl, os, sys
descriptor = os.open(sys.argv[1], os.O_RDWR)
fcntl.flock(descriptor, fcntl.LOCK_EX)
print("locked", flush=True)
sys.stdin.read()
"""


@contextmanager
def locked_by_another_process(path: Path) -> Iterator[None]:
    """Have a process hold the file's lock for as long as the block lasts."""
    with subprocess.Popen(
        [sys.executable, "-c", LOCK_AND_WAIT, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"locked\n"
        yield
        holder.stdin.close()


def test_an_event_is_its_exact_bytes_and_a_newline(place: Place) -> None:
    """A line is the request body and nothing else."""
    line = '{"event_type": "RUN", "event_details": {"ü": "\\n"}}'.encode()

    place.open().append(line)

    assert place.active().read_bytes() == line + b"\n"


def test_events_of_all_openers_go_into_one_file(place: Place) -> None:
    """A thousand short processes must not cost a thousand inodes."""
    for number in range(3):
        place.open().append(b'{"n": %d}' % number)

    assert place.names() == [place.active().name]
    assert place.lines() == [b'{"n": 0}', b'{"n": 1}', b'{"n": 2}']


def test_files_and_directories_are_private(place: Place) -> None:
    """Only their owner may list the directories or read the events, whatever the umask."""
    before = os.umask(0)
    try:
        place.open().append(b"{}")
    finally:
        os.umask(before)

    modes = {
        path: stat.S_IMODE(path.stat().st_mode)
        for path in (place.root, place.spool, place.active())
    }
    assert modes == {place.root: 0o700, place.spool: 0o700, place.active(): 0o600}


def test_an_event_beside_a_held_lock_gets_a_segment_of_its_own(place: Place) -> None:
    """A process that was stopped while it held the lock delays the others, and stops none."""
    place.open().append(b'{"n": 0}')

    with locked_by_another_process(place.active()):
        run_python(
            """from telemetry_spool import Spool; Spool().append(b'{"n": 1}')""",
            environ=place.environ,
        )

    assert place.active().read_bytes() == b'{"n": 0}\n'
    assert [path.read_bytes() for path in place.sealed()] == [b'{"n": 1}\n']
    assert len(place.names()) == 2


def test_the_wait_for_a_lock_is_bounded(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a caller waits for the lock adds up to 50 ms and one pause at the most."""
    clock = Clock()
    place.open().append(b"{}")

    with locked_by_another_process(place.active()):
        monkeypatch.setattr("telemetry_spool.appending.time", clock)
        place.open().append(b"{}")

    assert 0.05 <= clock.slept <= 0.06


def test_an_append_in_the_middle_of_another_does_not_wait_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A signal handler cannot wait for what the code that it interrupted has locked."""
    path, clock = str(tmp_path / "file"), Clock()
    monkeypatch.setattr("telemetry_spool.appending.time", clock)

    def interrupt(_descriptor: int, _size: int) -> None:
        with pytest.raises(Unsuitable, match="locked"):
            append_lines(path, b"{}\n")

    append_lines(path, b"{}\n", then=interrupt)

    assert clock.slept == 0


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.slept = 0.0

    def monotonic(self) -> float:
        """Return the seconds slept so far."""
        return self.slept

    def sleep(self, seconds: float) -> None:
        """Let time go by at once."""
        self.slept += seconds


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL])
def test_without_locks_each_event_gets_a_segment_of_its_own(
    place: Place, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """Some Lustre and FUSE file systems have no flock."""

    def flock(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("telemetry_spool.appending.flock", flock)
    for event in (b'{"n": 0}', b'{"n": 1}'):
        place.open().append(event)

    assert sorted(path.read_bytes() for path in place.sealed()) == [b'{"n": 0}\n', b'{"n": 1}\n']


def put_symlink(place: Place, victim: Path) -> None:
    """Put a link to the victim where the active segment belongs."""
    place.active().symlink_to(victim)


def put_dangling_symlink(place: Place, victim: Path) -> None:
    """Put a link to a file that does not exist where the active segment belongs."""
    place.active().symlink_to(victim.with_name("absent"))


def put_hard_link(place: Place, victim: Path) -> None:
    """Put a second name of the victim where the active segment belongs."""
    place.active().hardlink_to(victim)


def put_fifo(place: Place, _: Path) -> None:
    """Put a FIFO where the active segment belongs."""
    os.mkfifo(place.active())


def put_directory(place: Place, _: Path) -> None:
    """Put a directory where the active segment belongs."""
    place.active().mkdir()


def put_socket(place: Place, _: Path) -> None:
    """Put a socket where the active segment belongs."""
    os.mknod(place.active(), stat.S_IFSOCK | 0o600)


def put_device(place: Place, _: Path) -> None:
    """Put a device that swallows everything where the active segment belongs."""
    try:
        os.mknod(place.active(), stat.S_IFCHR | 0o600, os.makedev(1, 3))
        os.close(os.open(place.active(), os.O_RDWR))
    except PermissionError:
        pytest.skip("making a device takes root and a file system that allows it")


@pytest.mark.parametrize("mode", [0o700, 0o770], ids=["private", "group-writable"])
@pytest.mark.parametrize(
    "put",
    [put_symlink, put_dangling_symlink, put_fifo, put_directory, put_socket, put_device],
)
def test_what_is_no_regular_file_is_passed_by(
    place: Place, tmp_path: Path, put: Callable[[Place, Path], None], mode: int
) -> None:
    """The event gets a segment of its own; nothing is written through the name or under it."""
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious\n")
    place.spool.mkdir(parents=True)
    place.spool.chmod(mode)
    put(place, victim)
    before = place.active().lstat()

    place.open().append(b'{"n": 1}')

    after = place.active().lstat()
    assert (after.st_ino, after.st_mode, after.st_size) == (
        before.st_ino,
        before.st_mode,
        before.st_size,
    )
    assert victim.read_bytes() == b"precious\n"
    assert [path.read_bytes() for path in place.sealed()] == [b'{"n": 1}\n']
    assert sorted(path.name for path in tmp_path.iterdir()) == ["telemetry", "victim"]


def test_a_file_with_another_link_is_passed_by_in_a_shared_directory(
    place: Place, tmp_path: Path
) -> None:
    """Whoever may write the directory could have linked any file of this user there."""
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious\n")
    place.spool.mkdir(parents=True)
    place.spool.chmod(0o770)
    put_hard_link(place, victim)

    place.open().append(b'{"n": 1}')

    assert victim.read_bytes() == b"precious\n"
    assert [path.read_bytes() for path in place.sealed()] == [b'{"n": 1}\n']


@pytest.mark.skipif(os.geteuid() != 0, reason="giving a file away takes root")
def test_a_file_of_another_user_is_passed_by_in_a_shared_directory(place: Place) -> None:
    """Another user's file could be read, changed or deleted by that user."""
    place.spool.mkdir(parents=True)
    place.spool.chmod(0o1777)
    place.active().write_bytes(b'{"theirs": 1}\n')
    os.chown(place.active(), 65534, 65534)

    place.open().append(b'{"n": 1}')

    assert place.active().read_bytes() == b'{"theirs": 1}\n'
    assert [path.read_bytes() for path in place.sealed()] == [b'{"n": 1}\n']


@pytest.mark.skipif(os.geteuid() != 0, reason="giving a file away takes root")
def test_a_file_that_may_not_be_opened_is_passed_by(reachable: Path) -> None:
    """In a drop box that was not meant for it, an unprivileged user still records."""
    place = Place(reachable)
    place.spool.mkdir()
    place.spool.chmod(0o1777)
    squatted = place.active().with_name(place.active().name.replace(".0.", ".65534."))
    squatted.write_bytes(b"")
    squatted.chmod(0o600)

    run_python(
        f"{UNPRIVILEGED}\nfrom telemetry_spool import Spool\nSpool().append(b'{{}}')",
        environ=place.environ | {"HOME": str(reachable), "XDG_CONFIG_HOME": str(reachable)},
    )

    assert squatted.read_bytes() == b""
    assert [path.read_bytes() for path in place.sealed()] == [b"{}\n"]


@pytest.mark.parametrize("local", [False, True])
def test_a_line_cut_by_a_power_loss_does_not_spoil_the_next(place: Place, *, local: bool) -> None:
    """The next line begins on a line of its own."""
    spool = place.open()
    spool.append(b'{"n": 0}', local=local)
    (name,) = place.names()
    with (place.spool / name).open("ab") as file:
        file.write(b'{"n": 1, "to')

    spool.append(b'{"n": 2}', local=local)

    assert place.lines() == [b'{"n": 0}', b'{"n": 1, "to', b'{"n": 2}']


def test_the_file_is_on_disk_before_the_call_returns_only_if_wanted(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`fsync` is asked for once an event with the setting and never without."""
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)

    place.open(fsync="false").append(b"{}")
    without = len(synced)
    place.open(fsync="true").append(b"{}")

    assert (without, len(synced)) == (0, 1)


def test_append_lines_returns_the_new_size_and_tells_it_under_the_lock(tmp_path: Path) -> None:
    """What is done at a size is done while nobody else can append."""
    path = tmp_path / "file"
    seen: list[tuple[int, bool]] = []

    def then(_: int, size: int) -> None:
        descriptor = os.open(path, os.O_RDWR)
        seen.append((size, try_lock(descriptor)))
        os.close(descriptor)

    sizes = [append_lines(str(path), b"12345\n", then=then) for _ in range(2)]

    assert sizes == [6, 12]
    assert seen == [(6, False), (12, False)]


def test_what_is_done_at_a_size_is_not_done_below_it(tmp_path: Path) -> None:
    """Only an event that fills the file has anything to do but append."""
    sizes: list[int] = []

    for _ in range(4):
        append_lines(
            str(tmp_path / "file"), b"12345\n", full=18, then=lambda _, size: sizes.append(size)
        )

    assert sizes == [18, 24]


def test_a_cut_line_of_another_process_is_seen_by_one_that_has_appended_before(
    tmp_path: Path,
) -> None:
    """Only a file as long as it was left is known to end in a whole line."""
    path = tmp_path / "file"
    left_at = append_lines(str(path), b"{}\n")
    with path.open("ab") as file:
        file.write(b'{"to')

    left_at = append_lines(str(path), b"{}\n", left_at=left_at)
    append_lines(str(path), b"{}\n", left_at=left_at)

    assert path.read_bytes() == b'{}\n{"to\n{}\n{}\n'


def test_the_lock_is_free_again_while_a_forked_child_lives(tmp_path: Path) -> None:
    """A child forked in the middle of an append holds a copy of the descriptor, not the lock."""
    path = tmp_path / "file"
    reader, writer = os.pipe()
    children: list[int] = []

    def fork(_descriptor: int, _size: int) -> None:
        child = os.fork()
        if child == 0:
            os.close(writer)
            os.read(reader, 1)
            os._exit(0)
        children.append(child)

    append_lines(str(path), b"{}\n", then=fork)
    append_lines(str(path), b"{}\n", wait=0)

    os.close(writer)
    os.close(reader)
    os.waitpid(children[0], 0)
    assert path.read_bytes() == b"{}\n{}\n"


def test_no_descriptor_is_left_open(place: Place, tmp_path: Path) -> None:
    """A spool keeps nothing open between calls, however they end."""
    spool = place.open(max_segment_bytes=4096)
    spool.append(b"{}")
    before = set(os.listdir("/dev/fd"))

    for _ in range(21):
        spool.append(b"x" * 1000)
    with locked_by_another_process(place.active()):
        spool.append(b"{}")
    with pytest.raises(Unsuitable):
        append_lines(str(tmp_path), b"{}\n")

    assert set(os.listdir("/dev/fd")) == before


def test_a_new_file_is_never_one_that_exists(tmp_path: Path) -> None:
    """A segment of one event must not be written into somebody's file or through their link."""
    (tmp_path / "link").symlink_to(tmp_path / "target")

    with pytest.raises(FileExistsError):
        append_new(str(tmp_path / "link"), b"{}\n")

    assert not (tmp_path / "target").exists()


def test_a_lock_ends_with_its_holder(place: Place) -> None:
    """When the holder is gone, events go into the shared file again."""
    spool = place.open()
    spool.append(b'{"n": 0}')
    with locked_by_another_process(place.active()):
        pass

    spool.append(b'{"n": 1}')

    assert place.names() == [place.active().name]
