"""A spool that cannot be written: the caller hears of it, the file is as before, losses count."""

from __future__ import annotations

import errno
import json
import os
import shutil
from contextlib import suppress
from pathlib import Path

import pytest

from telemetry_spool.appending import append_lines
from telemetry_spool.consent import Mode
from telemetry_spool.recorder import Recorder
from telemetry_spool.spool import Spool
from telemetry_spool.writer_settings import writer_config
from tests.conftest import UNPRIVILEGED, Place, run_python

# Not a divisor of a page, so that some event always crosses into a page that cannot be had.
EVENT = b"x" * 999

LIMITED = """
import resource, sys
from telemetry_spool import Spool
limit = int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
spool = Spool()
try:
    while True:
        spool.append(b"x" * 999)
except OSError as error:
    print(error.errno)
"""

RECORDS_UNPRIVILEGED = (
    UNPRIVILEGED
    + """
from telemetry_spool import Spool
try:
    Spool().append(b"{}")
except OSError as error:
    print(error.errno)
"""
)


def fill(disk: Path) -> Path:
    """Write a file until the disk is full; return it."""
    filler = disk / "filler"
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)
    assert shutil.disk_usage(disk).free == 0
    return filler


def append_until_it_fails(spool: Spool) -> tuple[int, int | None]:
    """Append events; return how many were taken and the number of the error that ended it."""
    taken = 0
    while True:
        try:
            spool.append(EVENT)
        except OSError as error:
            return taken, error.errno
        taken += 1


def test_a_full_disk_raises_and_leaves_the_file_as_it_was(small_disk: Path) -> None:
    """The half of a line that still fitted is taken back."""
    place = Place(small_disk / "telemetry")
    spool = place.open()
    spool.append(EVENT)
    fill(small_disk)

    taken, number = append_until_it_fails(spool)

    assert number == errno.ENOSPC
    assert place.active().read_bytes() == (EVENT + b"\n") * (1 + taken)


def test_a_full_disk_leaves_no_file_of_one_event_behind(small_disk: Path) -> None:
    """Neither a temporary file nor a sealed one with half an event stays."""
    place = Place(small_disk / "telemetry")
    place.spool.mkdir(parents=True)
    place.active().mkdir()
    fill(small_disk)

    with pytest.raises(OSError, match="No space left"):
        place.open().append(EVENT)

    assert place.names() == [place.active().name]


def test_losses_on_a_full_disk_are_written_down_when_there_is_space_again(
    small_disk: Path,
) -> None:
    """A full disk cannot take the line about the loss: the count waits for the next event."""
    place = Place(small_disk / "telemetry")
    recorder = Recorder(writer_config(place.environ))
    assert recorder.record(EVENT, Mode.ON)
    filler = fill(small_disk)
    taken = sum(recorder.record(EVENT, Mode.ON) for _ in range(10))
    assert place.ledger() == []

    filler.unlink()
    recorded_again = recorder.record(EVENT, Mode.ON)

    assert recorded_again
    assert len(place.lines()) == 1 + taken + 1
    assert sum(place.losses().values()) == 10 - taken
    assert all("No space left" in reason for reason in place.losses())


@pytest.mark.parametrize("limit", [500, 2500, 3000])
def test_a_file_size_limit_raises_and_leaves_whole_lines(place: Place, limit: int) -> None:
    """`ulimit -f` cuts a write short and then fails it, as a full quota does."""
    done = run_python(LIMITED, str(limit), environ=place.environ)

    assert done.stdout == f"{errno.EFBIG}\n"
    assert place.active().read_bytes() == (EVENT + b"\n") * (limit // 1000)


def test_a_failed_fsync_takes_the_line_back(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """An event whose loss is counted must not be delivered as well."""
    spool = place.open(fsync="true")
    spool.append(b'{"n": 0}')

    def fsync(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(OSError, match="Input/output error"):
        spool.append(b'{"n": 1}')

    assert place.lines() == [b'{"n": 0}']


def test_a_write_that_takes_a_line_in_pieces_is_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A short write without an error is continued where it stopped."""
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:3]))

    size = append_lines(str(tmp_path / "file"), b"1234567\n")

    assert size == 8
    assert (tmp_path / "file").read_bytes() == b"1234567\n"


def test_a_newline_put_before_a_line_goes_back_with_it(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failed append behind a torn line leaves the torn line as it was."""
    spool = place.open()
    spool.append(b'{"n": 0}')
    with place.active().open("ab") as file:
        file.write(b'{"torn')
    before = place.active().read_bytes()
    write = os.write

    def fail_after_two_bytes(descriptor: int, data: bytes) -> int:
        if len(data) > 2 and data.startswith(b"\n"):
            return write(descriptor, data[:2])
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", fail_after_two_bytes)
        with pytest.raises(OSError, match="No space left"):
            spool.append(b'{"n": 1}')

    assert place.active().read_bytes() == before


def test_a_read_only_file_system_raises(read_only_disk: Path) -> None:
    """EROFS is an error like the others."""
    with pytest.raises(OSError, match="Read-only file system"):
        Place(read_only_disk / "telemetry").open().append(b"{}")

    assert list(read_only_disk.iterdir()) == []


def test_a_root_below_a_file_raises(place: Place) -> None:
    """The path that cannot be made is left as it is."""
    place.root.write_bytes(b"a file")

    with pytest.raises(NotADirectoryError):
        place.open().append(b"{}")

    assert place.root.read_bytes() == b"a file"


def test_a_directory_without_write_permission_raises(reachable: Path) -> None:
    """An unprivileged user gets an error, and nothing is made."""
    reachable.chmod(0o555)

    done = run_python(
        RECORDS_UNPRIVILEGED,
        environ={
            "FLWR_TELEMETRY_DIR": str(reachable / "telemetry"),
            "XDG_CONFIG_HOME": str(reachable),
        },
    )

    assert done.stdout == f"{errno.EACCES}\n"
    assert list(reachable.iterdir()) == []


def test_losses_for_one_cause_are_one_line(reachable: Path) -> None:
    """A directory that refuses a thousand events must not cost a thousand reasons in memory."""
    place = Place(reachable / "telemetry")
    place.spool.mkdir(parents=True)
    place.spool.chmod(0o555)
    place.root.chmod(0o777)
    receipts = place.root / "receipts"
    receipts.write_bytes(b"in the way")

    run_python(
        f"""{UNPRIVILEGED}
from telemetry_spool import event
for number in range(5):
    event("LOST", {{"n": number}})
os.unlink({str(receipts)!r})
event("LOST")
""",
        environ=place.environ
        | {
            "XDG_CONFIG_HOME": str(reachable),
            "FLWR_HOME": str(reachable),
            "HOME": str(reachable),
        },
    )

    ledger = place.ledger()
    assert [record["lost"] for record in ledger] == [6]
    assert "Permission denied" in json.dumps(ledger)
