"""A host program whose spool cannot be used: its exit code and its output are its own."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from tests.conftest import DEADLINE_SECONDS, FLOWER_TELEMETRY, Place
from tests.faults.disk_mounts import mount, tmpfs, use_up_inodes, use_up_space
from tests.faults.table import Fault, survives_each

STANDALONE = "from telemetry_spool import event\n"

# What the start-up file and the import of a real Flower come down to.
LIKE_FLOWER = f"""
import sys
from types import ModuleType
from telemetry_spool.flower import patch_quietly
module = ModuleType("flwr.common.telemetry")
exec({FLOWER_TELEMETRY!r}, vars(module))
patch_quietly(module)
def event(*arguments):
    future = module.event(*arguments)
    assert future.done()
"""

WORK = """
import sys
print("working")
for number in range(20):
    event("RUN_ENTER", {"n": number})
sys.stderr.write("done\\n")
sys.exit(3)
"""


@contextmanager
def full(place: Place) -> Iterator[None]:
    """Have no byte left."""
    with tmpfs(place.root, "size=32k") as disk:
        use_up_space(disk)
        yield


@contextmanager
def without_inodes(place: Place) -> Iterator[None]:
    """Have no inode left."""
    with tmpfs(place.root, "nr_inodes=8") as disk:
        use_up_inodes(disk)
        yield


@contextmanager
def read_only(place: Place) -> Iterator[None]:
    """Have a file system that cannot be written."""
    with tmpfs(place.root, "size=32k") as disk:
        assert mount("-o", "remount,ro", str(disk))
        yield


@contextmanager
def a_file(place: Place) -> Iterator[None]:
    """Have a file where the root belongs."""
    place.root.write_bytes(b"in the way")
    yield


@contextmanager
def a_dangling_link(place: Place) -> Iterator[None]:
    """Have a link to nowhere where the root belongs."""
    place.root.symlink_to("/nonexistent/directory")
    yield


@contextmanager
def held(place: Place) -> Iterator[None]:
    """Have the active segment locked by somebody who never lets go."""
    place.open().append(b"{}")
    with place.active().open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


SPOOLS: dict[str, Callable[[Place], AbstractContextManager[None]]] = {
    "is on a full disk": full,
    "is on a disk without inodes": without_inodes,
    "is read-only": read_only,
    "is below a file": a_file,
    "is below a dangling link": a_dangling_link,
    "is locked for ever": held,
}


@survives_each(
    Fault("disk", f"a host program's spool {what}", "its exit code and its output are its own")
    for what in SPOOLS
)
@pytest.mark.parametrize("program", [STANDALONE, LIKE_FLOWER], ids=["standalone", "flower"])
@pytest.mark.parametrize("spool", SPOOLS.values(), ids=[what.replace(" ", "-") for what in SPOOLS])
def test_a_host_program_does_not_notice(
    place: Place, spool: Callable[[Place], AbstractContextManager[None]], program: str
) -> None:
    """The same as with telemetry switched off, for `event()` and for Flower's own."""
    undisturbed = run(place, program, FLWR_TELEMETRY_ENABLED="0")
    assert not place.root.exists()

    with spool(place):
        disturbed = run(place, program)

    assert undisturbed == (3, "working\n", "done\n")
    assert disturbed == undisturbed


def run(place: Place, program: str, **environ: str) -> tuple[int, str, str]:
    """Run a host program; return its exit code and its output."""
    done = subprocess.run(
        [sys.executable, "-c", program + WORK],
        env=os.environ | place.environ | environ,
        check=False,
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
    )
    return done.returncode, done.stdout, done.stderr
