"""What a flood from one user of a drop box does to the others: next to nothing."""

from __future__ import annotations

import json
import os

from tests.dropbox.machine import ALICE, BOB, MALLORY, Machine, line, sealed
from tests.support.endpoint import CREATED, Answer, Request
from tests.support.processes import poll


def of_mallory(request: Request) -> bool:
    """Tell whose event was sent."""
    return bool(json.loads(request.body)["event_details"]["user"] == MALLORY)


def test_users_take_turns(machine: Machine) -> None:
    """A few events do not wait behind thousands."""
    for number in range(5):
        machine.put(
            MALLORY,
            sealed(number),
            b"".join(line(MALLORY, 1000 * number + n) + b"\n" for n in range(1000)),
        )
    machine.record(ALICE, *(line(ALICE, number) for number in range(10)))
    with machine.service():
        machine.endpoint.wait_for(100)

    whose = [of_mallory(request) for request in machine.endpoint.requests[:60]]
    assert min(whose[:12].count(True), whose[:12].count(False)) >= 3
    assert whose.count(False) == 10


def test_new_events_are_seen_while_another_user_has_thousands(machine: Machine) -> None:
    """Before all of those are sent."""
    machine.settings["FLWR_TELEMETRY_RESCAN_INTERVAL"] = "3600"
    machine.endpoint.latency = 0.01
    content = b"".join(line(MALLORY, n) + b"\n" for n in range(20_000))
    machine.put(MALLORY, sealed(1), content)
    with machine.service():
        machine.endpoint.wait_for(10)
        machine.record(ALICE, line(ALICE, 1))
        machine.wait_for(line(ALICE, 1))

    assert len(machine.endpoint.requests) < 20_000


def test_events_that_the_endpoint_stumbles_over_keep_their_owner_waiting(machine: Machine) -> None:
    """Be it that it fails, or answers what would make an uploader wait for a person."""
    statuses = iter([500, 401, 403, 503] * 10_000)

    def answer(request: Request) -> Answer:
        return Answer(next(statuses)) if of_mallory(request) else CREATED

    machine.endpoint.answer = answer
    machine.record(MALLORY, *(line(MALLORY, number) for number in range(500)))
    with machine.service():
        machine.endpoint.wait_for(3)
        for number in range(10):
            machine.record(ALICE, line(ALICE, number))
            machine.wait_for(line(ALICE, number))


def test_requests_that_hang_leave_a_lane_to_others(machine: Machine) -> None:
    """A user whose events are answered slowly has all lanes but one."""
    machine.settings["FLWR_TELEMETRY_CONCURRENCY"] = "3"
    machine.endpoint.answer = lambda request: Answer(delay=50) if of_mallory(request) else CREATED
    machine.record(MALLORY, *(line(MALLORY, number) for number in range(50)))
    with machine.service() as service:
        poll(lambda: len(machine.endpoint.requests) == 2, "two requests that hang")
        machine.record(ALICE, line(ALICE, 1))
        machine.wait_for(line(ALICE, 1))
        service.kill()

    assert sum(map(of_mallory, machine.endpoint.requests)) == 2


def test_thousands_of_segments_and_bad_lines_are_one_users_trouble(machine: Machine) -> None:
    """They are set aside, or lost, in that user's name; the log stays short."""
    machine.settings["FLWR_TELEMETRY_MAX_SPOOL_BYTES"] = "1MiB"
    machine.python(
        MALLORY,
        """
os.umask(0)
for number in range(3000):
    with open(f"20260310T120000Z-{number:016x}.jsonl", "wb") as file:
        file.write(b"bad\\n" * 20)
for number in range(500):
    os.mkdir(f"20260310T120001Z-{number:016x}.jsonl")
    open(f"unknown-{number}", "w").close()
""",
    )
    machine.record(BOB, b"no event", line(BOB, 1))
    with machine.service() as service:
        machine.record(ALICE, line(ALICE, 1))
        machine.wait_for(line(ALICE, 1), line(BOB, 1))
        poll(lambda: machine.heartbeat().get("activity") == "idle", "an idle service")

    lost = sum(record.get("lost", 0) for record in machine.records("receipts", MALLORY))
    set_aside = len(machine.records("rejected", MALLORY))
    assert lost + set_aside == 3000 * 20
    assert lost > 0
    assert len(machine.records("rejected", BOB)) == 1
    assert not any("lost" in record for record in machine.records("receipts", ALICE))
    assert service.stderr.count("\n") < 200


def test_a_quota_is_its_owners(machine: Machine) -> None:
    """One who has too much loses the oldest, and nobody else does."""
    machine.settings["FLWR_TELEMETRY_MAX_SPOOL_BYTES"] = "64KiB"
    machine.endpoint.stop()
    big = b"".join(line(MALLORY, n, padding="x" * 900) + b"\n" for n in range(40))
    for number in range(4):
        machine.put(MALLORY, sealed(number), big)
    machine.record(ALICE, *(line(ALICE, number, padding="x" * 900) for number in range(40)))
    with machine.service():
        poll(lambda: len(machine.records("receipts", MALLORY)) > 0, "losses in the ledger")
        machine.endpoint.start()
        poll(lambda: machine.heartbeat().get("activity") == "idle", "an idle service")

    arrived = [json.loads(body)["event_details"]["user"] for body in machine.arrived()]
    assert arrived.count(ALICE) == 40
    assert sum(record.get("lost", 0) for record in machine.records("receipts", MALLORY)) == 120
    assert machine.names() == []


def test_an_endless_sparse_file_is_refused_unread(machine: Machine) -> None:
    """It counts against its owner's quota with the size that it says it has."""
    machine.put(MALLORY, sealed(1), line(MALLORY, 1) + b"\n")
    machine.python(MALLORY, f"os.truncate({sealed(1)!r}, 2**40)")

    assert machine.serve_once().code == 0

    assert machine.names() == []
    assert sum(record.get("lost", 0) for record in machine.records("receipts", MALLORY)) == 2


def test_a_container_with_other_user_ids_is_served(machine: Machine) -> None:
    """Its files have names with its own ids, and owners with those of the host."""
    name = machine.box / "container.0.active.jsonl"
    name.write_bytes(line(BOB, 1) + b"\n")
    os.chown(name, BOB, -1)
    name.chmod(0o660)
    os.chown(name, BOB, machine.box.stat().st_gid)

    assert machine.serve_once().code == 0

    assert set(machine.arrived()) == {line(BOB, 1)}
    assert len(machine.records("receipts", BOB)) == 1
