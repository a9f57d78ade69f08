"""Every command of `telemetry-spool` in every state of a spool: a clear word, the right code."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from telemetry_spool.paths import host_name
from telemetry_spool.segment import event_id
from tests.conftest import Place
from tests.support.events import event
from tests.support.many import NOBODY, run_many
from tests.support.processes import Ended

EVENT = event("RUN_ENTER")
ID = event_id(EVENT)[:16]

LOOKING = [
    ["status"],
    ["status", "--json"],
    ["list"],
    ["list", "--json", "--state", "pending", "--state", "sent"],
    ["tail"],
    ["stats"],
    ["stats", "--json"],
    ["preview"],
    ["preview", "--json"],
    ["audit"],
    ["rejected", "list"],
    ["source", "show"],
    ["doctor"],
    ["doctor", "--json"],
    ["purge", "--all", "--dry-run"],
    ["purge", "--all", "--dry-run", "--json"],
]
NAMING = [
    ["show", ID],
    ["show", "--raw", ID],
    ["rm", "--yes", ID],
    ["send", "--yes", ID],
]
DELETING = [
    ["rejected", "retry", "--all"],
    ["rejected", "drop", "--all", "--yes"],
    ["purge", "--all", "--yes"],
    ["off", "--delete"],
]

_HOMES = ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CONFIG_DIRS", "FLWR_HOME")

FINE = {0}
SOMETHING_FOUND = {0, 1}
"""`doctor` and `audit` end with 1 where they find something."""


def run(commands: list[list[str]], place: Place, *, uid: int = 0) -> dict[str, Ended]:
    """Run commands; whatever happens, nobody sees a traceback, and complaints are lines."""
    own = {"HOME": "/nonexistent"} | dict.fromkeys(_HOMES, "/nonexistent") if uid else {}
    ended = run_many(commands, place.environ | own, uid=uid)
    for arguments, each in zip(commands, ended, strict=True):
        assert "Traceback" not in each.stderr, (arguments, each)
        assert each.code != os.EX_SOFTWARE, (arguments, each)
        for line in each.stderr.splitlines():
            assert line.startswith("telemetry-spool: "), (arguments, each)
    return {" ".join(each): one for each, one in zip(commands, ended, strict=True)}


def assert_fine(ended: dict[str, Ended]) -> None:
    """Check that every command did what it is for, without a complaint."""
    for name, each in ended.items():
        assert (each.code in _allowed(name), each.stderr) == (True, ""), (name, each)


def _allowed(name: str) -> set[int]:
    return SOMETHING_FOUND if name.split(maxsplit=1)[0] in ("doctor", "audit") else FINE


def assert_refused(ended: dict[str, Ended], said: str, code: int) -> None:
    """Check that every command says the same one line and nothing else."""
    for name, each in ended.items():
        assert (each.code, each.stdout, each.stderr) == (
            code,
            "",
            f"telemetry-spool: {said}\n",
        ), name


def test_without_a_spool(place: Place) -> None:
    """Nothing is wrong, nothing is there, and nothing is made."""
    assert_fine(run(LOOKING + DELETING, place))
    said = f"no event {ID!r} in {place.root}; telemetry-spool list shows all"
    assert_refused(run(NAMING[:3], place), said, 1)
    assert not place.root.exists()


def test_on_an_empty_spool(place: Place) -> None:
    """The same."""
    place.spool.mkdir(parents=True, mode=0o700)

    assert_fine(run(LOOKING + DELETING, place))
    said = f"no event {ID!r} in {place.root}; telemetry-spool list shows all"
    assert_refused(run(NAMING[:3], place), said, 1)
    assert place.names() == []


def corrupt(place: Place) -> None:
    """Fill a spool with what no writer makes."""
    place.spool.mkdir(parents=True, mode=0o700)
    names = [f"20260101T000000Z-{number:016x}" for number in range(8)]
    contents = [
        b"",
        b"\n\n\n",
        b"\x00" * 5000,
        b"\xff\xfe{}\n" + EVENT,
        b'{"event_type": "\\ud800", "context": {"date": "\\u001b[2J"}}\n' + b"[" * 5000 + b"\n",
        b'{"context": 1, "event_type": []}\n{"context": {"flower": 1, "source": {}}}\n',
    ]
    for name, content in zip(names, contents, strict=False):
        (place.spool / f"{name}.jsonl").write_bytes(content)
    (place.spool / f"{names[3]}.acked").write_bytes(b"-7 \xff")
    (place.spool / f"{names[6]}.jsonl").mkdir()
    (place.spool / f"{names[7]}.jsonl").symlink_to("/etc/passwd")
    for journal in ("receipts", "rejected"):
        (place.root / journal).mkdir()
        (place.root / journal / "2026-01-01.jsonl").write_bytes(
            b'\x00\n[]\n{"lost": "x"}\n{"id": 1}\n{"event": 1}\n{"raw": 7}\n{"id": "a", "event": "'
        )
    (place.root / "status.json").write_bytes(b"{")


def test_on_corrupt_files(place: Place) -> None:
    """What can be read is shown; what is no segment is left alone."""
    corrupt(place)

    assert_fine(run(LOOKING + NAMING[:2], place))
    assert_fine(run(DELETING, place))
    left = [name for name in place.names() if not name.endswith(".acked")]
    assert left[-2:] == [f"20260101T000000Z-{number:016x}.jsonl" for number in (6, 7)]
    assert all((place.spool / name).stat().st_size <= 3 for name in left[:-2])
    assert Path("/etc/passwd").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user takes root")
def test_without_permission(reachable: Path) -> None:
    """One line with the path, and 77."""
    place = Place(reachable / "telemetry")
    place.open().append(EVENT)
    place.spool.chmod(0o700)
    place.root.chmod(0o755)

    refused = ["list", "tail", "stats", "preview", "show", "rm", "send"]
    commands = [each for each in LOOKING + NAMING if each[0] in refused]
    assert_refused(run(commands, place, uid=NOBODY), f"{place.spool}: Permission denied", 77)
    ended = run([["doctor"], ["purge", "--state", "pending", "--yes"]], place, uid=NOBODY)
    assert [each.code for each in ended.values()] == [1, 77], ended
    assert place.lines() == [EVENT]


@pytest.mark.skipif(os.geteuid() != 0, reason="a drop box belongs to somebody else")
def test_in_a_drop_box(reachable: Path) -> None:
    """It says what it is, and shows what can be seen: what this user is appending to."""
    place = Place(reachable / "telemetry")
    place.spool.mkdir(parents=True)
    place.root.chmod(0o777)
    place.spool.chmod(0o3733)

    name = f"{host_name()}.{NOBODY}.active.jsonl"
    (place.spool / name).write_bytes(EVENT + b"\n")
    os.chown(place.spool / name, NOBODY, NOBODY)
    note = f"{place.spool} is a drop box: what is sealed in it only its service can see"

    for name, each in run(LOOKING + NAMING[:2], place, uid=NOBODY).items():
        assert each.code in _allowed(name), (name, each)
        assert each.stderr in ("", f"telemetry-spool: {note}\n"), (name, each)
    ended = run([NAMING[2], ["list"]], place, uid=NOBODY)
    assert [each.code for each in ended.values()] == [0, 0]
    assert place.lines() == []


def test_on_a_full_disk(small_disk: Path) -> None:
    """Looking works; what needs room says so in one line, and deleting everything needs none."""
    place = Place(small_disk / "telemetry")
    place.open().append(EVENT)
    place.open().append(event("KEPT"))
    with pytest.raises(OSError, match="No space"):
        (small_disk / "ballast").write_bytes(b"x" * 2**20)

    assert_fine(run(LOOKING, place))
    ended = run([NAMING[2], NAMING[3]], place)
    assert [each.code for each in ended.values()] == [os.EX_TEMPFAIL, os.EX_CANTCREAT]
    assert all("No space left on device" in each.stderr for each in ended.values())
    assert sorted(place.lines()) == sorted([EVENT, event("KEPT")])

    (gone,) = run([["purge", "--all", "--yes"]], place).values()
    assert gone.stdout.endswith("Deleted 2 events.\n")
    assert place.lines() == []


def test_on_a_disk_that_cannot_be_written(read_only_disk: Path) -> None:
    """Looking works, and changing says why not."""
    place = Place(read_only_disk / "telemetry")
    assert_fine(run(LOOKING, place))
