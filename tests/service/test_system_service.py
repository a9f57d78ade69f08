"""The resident service of the system, as installed: users spool without configuration."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator

import pytest

from tests.service.endpoints import Collector, silent
from tests.service.machine import UPLOADER, Machine, wait_until
from uploader.scanner import why_not

UNIT = "flwr-telemetry-uploader.service"
SETTINGS = "/etc/xdg/flwr-telemetry/config.toml"
DROP_BOX = "/var/spool/flwr-telemetry"
STOPS_WITHIN_SECONDS = 6.0


@pytest.fixture(scope="module")
def collector(machine: Machine) -> Iterator[Collector]:
    """Install the service with an endpoint inside the machine, and two users."""
    made = Collector(machine, 8787)
    machine.write(SETTINGS, f'endpoint = "{made.url}"\n')
    made.start()
    for user in ("alice", "bob"):
        machine.add_user(user)
    machine.run(UPLOADER, "install", "--system")
    yield made
    machine.run(UPLOADER, "uninstall", "--system")
    made.stop()


@pytest.fixture(autouse=True)
def at_work(machine: Machine, collector: Collector) -> None:
    """Begin each test with an endpoint that listens and a service that does not doubt it."""
    if machine.attempt("systemctl", "is-active", "collector-8787.service").code != 0:
        collector.start()
        machine.run("systemctl", "restart", UNIT)
    machine.run("systemctl", "start", UNIT)


def main_pid(machine: Machine) -> str:
    """Return the service's process id, as its machine has it."""
    return machine.ask_unit(UNIT, "MainPID")


def started_again(machine: Machine, before: str) -> bool:
    """Tell whether another process is the service now, and ready."""
    active = machine.ask_unit(UNIT, "ActiveState") == "active"
    return active and main_pid(machine) not in ("0", before)


def said(machine: Machine, words: str) -> bool:
    """Tell whether the service's present run has logged some words."""
    pid = main_pid(machine)
    return words in machine.run("journalctl", "-q", "-o", "cat", f"_PID={pid}")


def test_events_of_two_users_are_delivered(machine: Machine, collector: Collector) -> None:
    """Both spool into the drop box without a setting; what was sent is gone from there."""
    machine.record("FROM_ALICE", user="alice")
    machine.record("FROM_BOB", user="bob")

    collector.wait_for("FROM_ALICE")
    collector.wait_for("FROM_BOB")
    wait_until(
        lambda: not [n for n in machine.names(DROP_BOX) if n.endswith(".jsonl")], "all is deleted"
    )


@pytest.mark.skipif(bool(why_not()), reason="there is no compiled part")
def test_the_sandbox_lets_it_read_lines_with_the_compiled_part(
    machine: Machine, collector: Collector
) -> None:
    """That has to be mapped as code, which a sandbox may forbid."""
    machine.record("TO_BE_READ", user="alice")
    collector.wait_for("TO_BE_READ")

    assert "_lines.so" in machine.run("cat", f"/proc/{main_pid(machine)}/maps")


def test_it_runs_without_privileges(machine: Machine) -> None:
    """No capability, not even to be had; a user of its own; a system call filter."""
    status = machine.run("cat", f"/proc/{main_pid(machine)}/status")
    found = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)

    assert {int(found[f"Cap{kind}"], 16) for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb")} == {0}
    assert (found["NoNewPrivs"], found["Seccomp"]) == ("1", "2")
    assert "0" not in found["Uid"].split()


def test_killed_it_is_started_again(machine: Machine, collector: Collector) -> None:
    """After `kill -9`, systemd starts another one, which delivers."""
    before = main_pid(machine)
    machine.run("kill", "-KILL", before)

    wait_until(lambda: started_again(machine, before), "it is started again")
    machine.record("AFTER_KILL", user="alice")
    collector.wait_for("AFTER_KILL")


def test_a_hanging_main_loop_is_ended_by_the_watchdog(
    machine: Machine, collector: Collector
) -> None:
    """A process that is there and does nothing is replaced by one that works."""
    assert machine.ask_unit(UNIT, "WatchdogUSec") == "2min"
    drop_in = f"/run/systemd/system/{UNIT}.d/50-impatient.conf"
    machine.write(drop_in, "[Service]\nWatchdogSec=2s\n")
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "restart", UNIT)
    before = main_pid(machine)
    machine.run("kill", "-STOP", before)

    wait_until(lambda: started_again(machine, before), "it is started again")
    machine.run("rm", drop_in)
    machine.run("systemctl", "daemon-reload")
    log = machine.run("journalctl", "-q", "-o", "cat", "-u", UNIT)
    assert "Watchdog timeout" in log
    machine.record("AFTER_HANG", user="alice")
    collector.wait_for("AFTER_HANG")


def test_nothing_is_lost_when_it_restarts_while_the_endpoint_is_down(
    machine: Machine, collector: Collector
) -> None:
    """Events from before and after the restart arrive once each when the endpoint is back."""
    collector.stop()
    machine.record("BEFORE_RESTART", user="alice")
    wait_until(lambda: said(machine, "refused"), "it has tried")
    machine.run("systemctl", "restart", UNIT)
    machine.record("AFTER_RESTART", user="bob")
    collector.start()

    collector.wait_for("BEFORE_RESTART")
    collector.wait_for("AFTER_RESTART")
    arrived = dict(collector.deliveries())
    assert (arrived["BEFORE_RESTART"], arrived["AFTER_RESTART"]) == (1, 1)


def test_reload_takes_up_another_endpoint(machine: Machine, collector: Collector) -> None:
    """`systemctl reload` has the same process read its settings anew."""
    other = Collector(machine, 8788)
    other.start()
    before = main_pid(machine)
    machine.write(SETTINGS, f'endpoint = "{other.url}"\n')
    try:
        machine.run("systemctl", "reload", UNIT)
        machine.record("AFTER_RELOAD", user="alice")
        other.wait_for("AFTER_RELOAD")
    finally:
        machine.write(SETTINGS, f'endpoint = "{collector.url}"\n')
        other.stop()
    assert main_pid(machine) == before


def test_it_stops_soon_while_it_backs_off(machine: Machine, collector: Collector) -> None:
    """Waiting for an endpoint that is down is over at once."""
    collector.stop()
    machine.record("DURING_BACKOFF", user="alice")
    wait_until(lambda: said(machine, "refused"), "it backs off")

    assert seconds_to_stop(machine) < STOPS_WITHIN_SECONDS
    assert machine.ask_unit(UNIT, "Result") == "success"


def test_it_stops_soon_while_a_request_is_stuck(machine: Machine, collector: Collector) -> None:
    """A request that is never answered is given up; the event stays and is sent later."""
    collector.stop()
    with silent(machine, 8787) as sign:
        machine.record("DURING_SILENCE", user="alice")
        path = machine.root / sign.lstrip("/")
        wait_until(path.exists, "a request is under way")

        assert seconds_to_stop(machine) < STOPS_WITHIN_SECONDS
        assert machine.ask_unit(UNIT, "Result") == "success"
    collector.start()
    machine.run("systemctl", "start", UNIT)
    collector.wait_for("DURING_SILENCE")


def seconds_to_stop(machine: Machine) -> float:
    """Stop the service and return how long that took."""
    began = time.monotonic()
    machine.run("systemctl", "stop", UNIT)
    return time.monotonic() - began


def test_the_journal_knows_how_bad_it_is(machine: Machine, collector: Collector) -> None:
    """An endpoint that is down is a warning, with its priority, not just a line."""
    collector.stop()
    machine.record("WARNED", user="alice")
    pid = main_pid(machine)
    warnings = ("journalctl", "-q", "-o", "cat", "-p", "warning", f"_PID={pid}")

    wait_until(lambda: "refused" in machine.run(*warnings), "a warning is in the journal")
    assert "sending from" not in machine.run(*warnings)


def test_installed_units_are_sound_and_their_exposure_is_low(
    machine: Machine, record_property: Callable[[str, object], None]
) -> None:
    """`systemd-analyze verify` finds nothing; `security` says at most 1.5."""
    verified = machine.attempt("systemd-analyze", "verify", UNIT)
    report = machine.run("systemd-analyze", "security", "--no-pager", UNIT)
    found = re.search(r"exposure level for \S+: ([0-9.]+)", report)

    assert (verified.code, verified.stdout, verified.stderr) == (0, "", "")
    assert found is not None
    record_property(f"systemd-analyze security {UNIT}", found[1])
    assert float(found[1]) <= 1.5
