"""What users of a drop box can do, and what they cannot do to each other."""

from __future__ import annotations

import json
import os
import stat

import pytest

from tests.dropbox.machine import ALICE, BOB, BOX, MALLORY, ROOT, SERVICE, Machine, active, line
from tests.flower.versions import FLWR_1_41
from tests.support.environments import environment as provide
from tests.support.processes import poll


def test_events_of_every_user_are_sent_without_configuration(machine: Machine) -> None:
    """The box is where it is looked for; the service has no right to anything else of theirs."""
    emit = 'import telemetry_spool; telemetry_spool.event("RUN_ENTER", {"user": os.geteuid()})'
    with machine.service():
        for user in (ALICE, BOB):
            machine.python(user, emit)
        machine.endpoint.wait_for(2, accepted=True)
        poll(lambda: machine.names() == [], "an empty box")

    details = [request.json()["event_details"] for request in machine.endpoint.accepted]
    assert sorted(detail["user"] for detail in details) == [ALICE, BOB]
    assert len(machine.records("receipts", ALICE)) == len(machine.records("receipts", BOB)) == 1


def test_real_flower_of_every_user_is_sent_without_configuration(machine: Machine) -> None:
    """The package beside Flower is all it takes."""
    flower = provide(FLWR_1_41.environment).python
    emit = (
        "from flwr.supercore.telemetry import EventType, event\n"
        "import sys; event(EventType.PING, {'user': int(sys.argv[1])})"
    )
    with machine.service():
        for user in (ALICE, BOB):
            machine.python(user, emit, str(user), interpreter=flower)
        machine.endpoint.wait_for(2, accepted=True)

    details = [request.json()["event_details"] for request in machine.endpoint.accepted]
    assert sorted(detail["user"] for detail in details) == [ALICE, BOB]


def test_users_that_share_a_segment_with_nobody(machine: Machine) -> None:
    """Each has a file of its own, which the service's group may read and nobody else."""
    machine.record(ALICE, line(ALICE, 1))
    machine.record(ALICE, line(ALICE, 2), local=True)

    shared, private = (
        (machine.box / active(ALICE, kind=kind)).stat() for kind in ("active", "local")
    )
    assert (shared.st_uid, shared.st_gid) == (ALICE, SERVICE)
    assert stat.S_IMODE(shared.st_mode) == 0o660
    assert stat.S_IMODE(private.st_mode) == 0o600


@pytest.mark.parametrize(
    "attempt",
    [
        "os.listdir('.')",
        "os.open(name, os.O_RDONLY)",
        "os.open(name, os.O_WRONLY)",
        "os.open(name, os.O_RDWR | os.O_TRUNC)",
        "os.truncate(name, 0)",
        "os.chmod(name, 0o666)",
        "os.unlink(name)",
        "os.rename(name, 'mine')",
        "os.rename(mine, name)",
        "os.link(name, 'mine')",
    ],
)
def test_nobody_lists_reads_changes_or_deletes_what_is_another_users(
    machine: Machine, attempt: str
) -> None:
    """Not even where the name is known."""
    machine.record(ALICE, line(ALICE, 1))
    machine.python(
        MALLORY,
        f"""
import sys
name, mine = sys.argv[1], 'own'
open(mine, 'w').close()
try:
    {attempt}
except PermissionError:
    pass
else:
    raise SystemExit('it was allowed')
""",
        active(ALICE),
    )

    assert (machine.box / active(ALICE)).read_bytes() == line(ALICE, 1) + b"\n"


@pytest.mark.parametrize("mode", ["off", "local"])
def test_a_users_no_reaches_the_running_service(machine: Machine, mode: str) -> None:
    """What is pending is not sent from the next request on, and everybody else's is; on resumes."""
    machine.endpoint.stop()
    with machine.service():
        machine.record(ALICE, line(ALICE, 1))
        poll(lambda: machine.heartbeat().get("activity") == "waiting", "a failed request")
        said = machine.telemetry_spool(ALICE, mode)
        assert (said.code, said.stderr) == (0, "") or mode == "off"
        machine.endpoint.start()
        machine.record(BOB, line(BOB, 1), line(BOB, 2))
        machine.wait_for(line(BOB, 1), line(BOB, 2))
        poll(lambda: machine.heartbeat().get("activity") == "idle", "an idle service")
        assert line(ALICE, 1) not in machine.arrived()

        assert machine.telemetry_spool(ALICE, "on").code == 0
        machine.wait_for(line(ALICE, 1))


@pytest.mark.parametrize(
    "forge",
    [
        "open(name, 'w').write('off')",
        "os.mkfifo(name)",
        "os.mkdir(name)",
        "os.symlink('/dev/zero', name)",
        "os.symlink(name, name)",
    ],
)
def test_a_forged_mode_file_counts_for_nothing(machine: Machine, forge: str) -> None:
    """And it is not in the way of the real one for long."""
    name = f"{ALICE}.mode"
    machine.python(MALLORY, f"name = {name!r}\n{forge}")
    machine.record(ALICE, line(ALICE, 1))
    with machine.service():
        machine.wait_for(line(ALICE, 1))
    machine.python(MALLORY, f"name = {name!r}\n{forge}")

    assert machine.telemetry_spool(ALICE, "off").code == 0
    machine.put(ALICE, active(ALICE), line(ALICE, 2) + b"\n")
    with machine.service():
        machine.record(BOB, line(BOB, 1))
        machine.wait_for(line(BOB, 1))
        poll(lambda: machine.heartbeat().get("activity") == "idle", "an idle service")

    assert line(ALICE, 2) not in machine.arrived()
    assert (machine.box / name).stat().st_uid == ALICE


@pytest.mark.parametrize("mode", ["off", "local"])
def test_a_single_run_does_not_wait_for_a_user_who_said_no(machine: Machine, mode: str) -> None:
    """It sends everything else, and says that something is left."""
    machine.record(ALICE, line(ALICE, 1))
    machine.telemetry_spool(ALICE, mode)
    machine.record(BOB, line(BOB, 1))

    assert machine.serve_once().code == os.EX_TEMPFAIL

    assert set(machine.arrived()) == {line(BOB, 1)}


def test_a_mode_file_that_another_user_links_still_counts(machine: Machine) -> None:
    """Where the kernel lets anybody link anything, that must not undo a no."""
    machine.record(ALICE, line(ALICE, 1))
    machine.telemetry_spool(ALICE, "off")
    os.link(machine.box / f"{ALICE}.mode", machine.box / "link")
    machine.record(BOB, line(BOB, 1))

    machine.serve_once()

    assert set(machine.arrived()) == {line(BOB, 1)}


def test_a_users_own_file_under_the_name_of_a_mode_file_is_no_mode(machine: Machine) -> None:
    """A hostile link to any file of a user's must not stop that user's events."""
    notes = machine.path(BOX.parent / "notes")
    notes.write_text("off the record")
    os.chown(notes, ALICE, ALICE)
    os.link(notes, machine.path(BOX.parent / BOX.name) / f"{ALICE}.mode")
    machine.record(ALICE, line(ALICE, 1))

    assert machine.serve_once().code == 0

    assert set(machine.arrived()) == {line(ALICE, 1)}


def test_status_shows_a_user_that_the_service_runs(machine: Machine) -> None:
    """And says in one line what cannot be seen."""
    with machine.service():
        poll(lambda: machine.heartbeat().get("activity") == "idle", "an idle service")
        shown = machine.telemetry_spool(ALICE, "status", "--json")

    assert shown.code == 0, shown.stderr
    state = json.loads(shown.stdout)
    assert state["drop_box"] is True
    assert (state["uploader"]["alive"], state["uploader"]["activity"]) == (True, "idle")
    assert state["problems"] == []


def test_list_shows_a_user_what_is_not_sealed_yet(machine: Machine) -> None:
    """Its name is known; of the rest it says that only the service can see it."""
    machine.record(ALICE, line(ALICE, 1))
    machine.record(BOB, line(BOB, 1))

    listed = machine.telemetry_spool(ALICE, "list", "--json")

    assert listed.code == 0
    assert len(listed.stdout.splitlines()) == 1
    assert listed.stderr.count("\n") == 1
    assert str(BOX) in listed.stderr


@pytest.mark.parametrize("verb", ["once", "run"])
def test_a_user_who_starts_an_uploader_is_told_who_sends(machine: Machine, verb: str) -> None:
    """In one line, and nothing is touched."""
    machine.record(ALICE, line(ALICE, 1))

    ended = machine.uploader(ALICE, verb)

    assert ended.code == os.EX_CANTCREAT
    assert ended.stderr.count("\n") == 1
    assert f"{BOX}: this drop box belongs to a service" in ended.stderr
    assert machine.names() == [active(ALICE)]


def test_users_see_of_the_service_that_it_runs_and_nothing_else(machine: Machine) -> None:
    """Receipts, dead letters, progress and lock are nobody's business."""
    machine.record(ALICE, line(ALICE, 1), b"no event")
    assert machine.serve_once().code == 0

    readable = machine.python(
        ALICE,
        f"""
for directory, _, names in os.walk({str(ROOT)!r}):
    for name in names:
        if os.access(os.path.join(directory, name), os.R_OK):
            print(name)
""",
    )
    assert readable.split() == ["status.json"]
    assert {"receipts", "rejected", "uploader.lock"} <= set(os.listdir(machine.root))
