"""What a hostile user does to the service of a drop box, and what comes of it: nothing.

Each attack is there before the service starts, and again while it runs. The service goes on, sends
the events of others, and touches and sends nothing that is not in the box.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.dropbox.machine import ALICE, BOX, HOMES, MALLORY, SERVICE, Machine, active, line, sealed
from tests.support.processes import poll

_DISK = BOX.parent
SECRET = b'{"event_type": "SECRET"}\n'

# What a user can make. `name` is that of a segment, `secret` a file that everybody may read.
MADE_BY_A_USER = {
    "a link to a file": "os.symlink(secret, name)",
    "a link to a directory": "os.symlink(home, name)",
    "a link to nothing": "os.symlink('nowhere', name)",
    "a link to itself": "os.symlink(name, name)",
    "a link to a file of the service's": f"os.symlink({str(_DISK / 'lib' / 'own')!r}, name)",
    "a link to a device": "os.symlink('/dev/zero', name)",
    "a FIFO": "os.mkfifo(name, 0o666)",
    "a socket": "import socket; socket.socket(socket.AF_UNIX).bind(name)",
    "a directory": "os.mkdir(name); open(name + '/x', 'w').close()",
    "a file that nobody may read": "open(name, 'w').write('{}'); os.chmod(name, 0)",
    "a file of the wrong group": "open(name, 'w').write('{}'); os.chmod(name, 0o600)",
    "a sparse file of 1 TiB": "open(name, 'wb').truncate(2**40); os.chmod(name, 0o666)",
    "an empty file": "open(name, 'w').close(); os.chmod(name, 0o666)",
    "nothing but newlines": "open(name, 'wb').write(b'\\n' * 2**24); os.chmod(name, 0o666)",
    "nothing but zeros": "open(name, 'wb').write(bytes(2**22)); os.chmod(name, 0o666)",
    "one line without an end": "open(name, 'wb').write(b'x' * 2**22); os.chmod(name, 0o666)",
    "odd names": (
        "for odd in (b'a\\nb.jsonl', b'..jsonl', b'\\xff\\xfe.jsonl', b'x' * 255, b'-rf',\n"
        "        b'20260310T120000Z-0123456789abcdef.jsonl\\n', b'1' * 240 + b'.mode',\n"
        "        b'h.' + b'9' * 200 + b'.active.jsonl', b'h.060002.active.jsonl'):\n"
        "    open(odd, 'wb').write(b'{}\\n'); os.chmod(odd, 0o666)"
    ),
    "progress of another's": (
        "for taken in ('uploader.lock', 'status.json', 'progress', name[:-5] + 'acked',\n"
        "        name[:-5] + 'acked.tmp'):\n"
        "    os.symlink(secret, taken)"
    ),
    "the lock": "open('uploader.lock', 'w').close(); os.chmod('uploader.lock', 0o666)",
}

# What takes root, or a kernel that lets anybody link anything.
MADE_BY_ROOT = {
    "a hard link to a file of the service's": lambda box, name: os.link(
        box.parent / "lib" / "own", box / name
    ),
    "a hard link to a file of another user's": lambda box, name: os.link(
        box.parent / "homes" / "secret", box / name
    ),
    "a hard link to a progress file": lambda box, name: os.link(
        box.parent / "lib" / "own", box / f"{name[:-6]}.acked"
    ),
    "a device that never ends": lambda box, name: os.mknod(box / name, 0o020666, os.makedev(1, 5)),
    "a device that holds whoever opens it": lambda box, name: os.mknod(
        box / name, 0o020666, os.makedev(5, 0)
    ),
    "a block device": lambda box, name: os.mknod(box / name, 0o060666, os.makedev(7, 200)),
}

NAMES = {
    "sealed": sealed(1),
    "own active": active(MALLORY),
    "another's active": active(ALICE),
}


@pytest.fixture
def guarded(machine: Machine) -> Machine:
    """Return a machine with files outside the box that must stay as they are, and be sent never."""
    machine.settings["FLWR_TELEMETRY_MAX_SPOOL_BYTES"] = "32MiB"
    for path, owner in ((machine.root / "own", SERVICE), (_secret(machine), ALICE)):
        path.write_bytes(SECRET)
        os.chown(path, owner, owner)
        path.chmod(0o666)
    return machine


def _secret(machine: Machine) -> Path:
    return machine.path(HOMES / "secret")


def _check(machine: Machine) -> None:
    """Let the service work, and check that it does, and that nothing outside has changed."""
    machine.settings["FLWR_TELEMETRY_RESCAN_INTERVAL"] = "0.2"
    with machine.service() as service:
        machine.record(ALICE, line(ALICE, 1))
        machine.wait_for(line(ALICE, 1))
        poll(lambda: machine.heartbeat().get("activity") == "idle", "an idle service")
        machine.record(ALICE, line(ALICE, 2))
        machine.wait_for(line(ALICE, 2))
        assert service.stop() == 0
    assert (machine.root / "own").read_bytes() == SECRET
    assert _secret(machine).read_bytes() == SECRET
    assert SECRET.strip() not in machine.arrived()
    assert "Traceback" not in service.stderr
    letters = [letter for user in (ALICE, MALLORY, SERVICE) for letter in _letters(machine, user)]
    assert "SECRET" not in str(letters)


def _letters(machine: Machine, user: int) -> list[dict[str, object]]:
    return machine.records("rejected", user)


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
@pytest.mark.parametrize("attack", MADE_BY_A_USER.values(), ids=MADE_BY_A_USER)
def test_what_a_user_makes_harms_nobody(guarded: Machine, attack: str, name: str) -> None:
    """Under the name of a sealed segment, of the user's own active one, or of another user's."""
    secret, home = str(HOMES / "secret"), str(HOMES / str(ALICE))
    guarded.python(
        MALLORY, f"name, secret, home = {name!r}, {secret!r}, {home!r}\nos.umask(0)\n{attack}"
    )

    _check(guarded)


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
@pytest.mark.parametrize("attack", MADE_BY_ROOT)
def test_what_a_lax_kernel_lets_a_user_make_harms_nobody(
    guarded: Machine, attack: str, name: str
) -> None:
    """Hard links to files of others, and devices."""
    # The same disk under the same mount: a link across mounts is refused.
    MADE_BY_ROOT[attack](guarded.box, name)

    _check(guarded)


def test_another_link_to_an_active_segment_stops_no_event(guarded: Machine) -> None:
    """Its name is known, so it is what a hostile user could link where the kernel allows it."""
    guarded.record(ALICE, line(ALICE, 7))
    os.link(guarded.box / active(ALICE), guarded.box / sealed(1))
    os.link(guarded.box / active(ALICE), guarded.path(HOMES / "kept"))

    _check(guarded)

    assert guarded.arrived()[line(ALICE, 7)] == 1
    assert guarded.path(HOMES / "kept").read_bytes() == b""


# Each prints a line when it has begun, and goes on.
WHILE_IT_RUNS = {
    "holds the locks of segments": """
from fcntl import *
files = [open(name, "w") for name in (own, name, "uploader.lock")]
for file in files:
    file.write("{}\\n"); file.flush(); os.fchmod(file.fileno(), 0o666); flock(file, LOCK_EX)
print(flush=True)
import signal; signal.pause()
""",
    "holds leases on segments": """
import signal
from fcntl import *
signal.signal(signal.SIGIO, signal.SIG_IGN)
files = [open(name, "w") for name in (own, name)]
for file in files:
    file.write("{}\\n"); file.flush(); os.fchmod(file.fileno(), 0o666)
    fcntl(file, F_SETLEASE, F_WRLCK)
print(flush=True)
while True: signal.pause()
""",
    "appends for ever": """
file = open(name, "wb", buffering=0); os.fchmod(file.fileno(), 0o666)
print(flush=True)
while True:
    if file.tell() < 2**26: file.write(b"{}\\n" * 1000)
    else: file.truncate(0); file.seek(0)
""",
    "makes it longer and shorter": """
file = open(name, "wb", buffering=0); os.fchmod(file.fileno(), 0o666)
file.write(b'{"a": 1}\\n' * 1000)
print(flush=True)
while True: file.truncate(2**40); file.truncate(5000)
""",
    "renames others over it": """
print(flush=True)
while True:
    with open("new", "w") as file: file.write('{"a": 1}\\n' * 9); os.chmod("new", 0o666)
    os.rename("new", name)
    try: os.unlink(name); os.symlink(secret, name); os.unlink(name); os.mkfifo(name)
    except FileNotFoundError: pass
    except FileExistsError: pass
    try: os.unlink(name)
    except FileNotFoundError: pass
""",
    "takes the names of others again and again": """
print(flush=True)
while True:
    for taken in (victim, mode):
        try: os.close(os.open(taken, os.O_CREAT | os.O_EXCL, 0o666))
        except OSError: pass
""",
    "rings all the time": """
print(flush=True)
while True:
    try: open(own, "a").close(); os.utime(own); os.rename(own, name); os.unlink(name)
    except FileNotFoundError: pass
""",
}


@pytest.mark.parametrize("attack", WHILE_IT_RUNS.values(), ids=WHILE_IT_RUNS)
def test_what_a_user_goes_on_doing_stops_nobody(guarded: Machine, attack: str) -> None:
    """The service passes by what it cannot have, and looks no more often than it can afford."""
    names = {
        "name": sealed(1),
        "own": active(MALLORY),
        "victim": active(ALICE),
        "mode": f"{ALICE}.mode",
        "secret": str(HOMES / "secret"),
    }
    begin = "".join(f"{name} = {value!r}\n" for name, value in names.items())
    with guarded.busy(MALLORY, f"os.umask(0)\n{begin}{attack}"), guarded.service() as service:
        for number in range(3):
            guarded.record(ALICE, line(ALICE, number))
            guarded.wait_for(line(ALICE, number))
        assert service.stop() == 0

    assert _secret(guarded).read_bytes() == SECRET
    assert "Traceback" not in service.stderr
    assert len(service.stderr) < 20_000
