"""The service of one unprivileged user, under a real `systemd --user`."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.service.endpoints import Collector, silent
from tests.service.machine import UPLOADER, Done, Machine, wait_until

UNIT = "flwr-telemetry-uploader.service"
ONCE = "flwr-telemetry-once.service"
ROOT = "/home/alice/.local/state/flwr-telemetry"
UNITS = "/home/alice/.config/systemd/user"
STOPS_WITHIN_SECONDS = 6.0


@pytest.fixture(scope="module")
def collector(machine: Machine) -> Iterator[Collector]:
    """Log alice in, with an endpoint inside the machine."""
    made = Collector(machine, 8787)
    machine.add_user("alice")
    machine.write("/etc/xdg/flwr-telemetry/config.toml", f'endpoint = "{made.url}"\n')
    made.start()
    machine.start_manager("alice")
    yield made
    made.stop()


@pytest.fixture
def resident(machine: Machine, collector: Collector) -> Iterator[Collector]:
    """Install the resident service for alice."""
    if machine.attempt("systemctl", "is-active", "collector-8787.service").code != 0:
        collector.start()
    machine.run(UPLOADER, "install", user="alice")
    yield collector
    machine.run(UPLOADER, "uninstall", user="alice")


def main_pid(machine: Machine) -> str:
    """Return the service's process id, as its machine has it."""
    return machine.ask_unit(UNIT, "MainPID", user="alice")


def started_again(machine: Machine, before: str) -> bool:
    """Tell whether another process is the service now, and ready."""
    active = machine.ask_unit(UNIT, "ActiveState", user="alice") == "active"
    return active and main_pid(machine) not in ("0", before)


def systemctl(machine: Machine, *arguments: str) -> Done:
    """Give alice's manager an order."""
    return machine.attempt("systemctl", "--user", *arguments, user="alice")


def segments(machine: Machine) -> list[str]:
    """Return the names of the segments in alice's spool."""
    return [name for name in machine.names(f"{ROOT}/spool") if name.endswith(".jsonl")]


def test_an_event_is_delivered_from_a_confined_process(
    machine: Machine, resident: Collector
) -> None:
    """It goes from alice's spool, by a process of hers that can gain no privilege."""
    machine.record("USER_EVENT", user="alice")

    resident.wait_for("USER_EVENT")
    wait_until(lambda: not segments(machine), "the segment is deleted")
    status = machine.run("cat", f"/proc/{main_pid(machine)}/status")
    assert "NoNewPrivs:\t1\nSeccomp:\t2\n" in status


def test_killed_or_hanging_it_is_started_again(machine: Machine, resident: Collector) -> None:
    """After `kill -9`, and when the watchdog has ended a loop that hung."""
    before = main_pid(machine)
    machine.run("kill", "-KILL", before, user="alice")
    wait_until(lambda: started_again(machine, before), "it is started again")

    drop_in = f"{UNITS}/{UNIT}.d/50-impatient.conf"
    machine.write(drop_in, "[Service]\nWatchdogSec=2s\n")
    systemctl(machine, "daemon-reload")
    systemctl(machine, "restart", UNIT)
    before = main_pid(machine)
    machine.run("kill", "-STOP", before, user="alice")
    wait_until(lambda: started_again(machine, before), "it is started again")
    machine.run("rm", drop_in)
    machine.record("AFTER_BOTH", user="alice")
    resident.wait_for("AFTER_BOTH")


def test_nothing_is_lost_when_it_restarts_while_the_endpoint_is_down(
    machine: Machine, resident: Collector
) -> None:
    """Events from before and after the restart arrive once each."""
    resident.stop()
    machine.record("USER_BEFORE", user="alice")
    systemctl(machine, "restart", UNIT)
    machine.record("USER_AFTER", user="alice")
    resident.start()

    resident.wait_for("USER_BEFORE")
    resident.wait_for("USER_AFTER")
    arrived = dict(resident.deliveries())
    assert (arrived["USER_BEFORE"], arrived["USER_AFTER"]) == (1, 1)


@pytest.mark.usefixtures("resident")
def test_reload_takes_up_another_endpoint(machine: Machine) -> None:
    """`systemctl --user reload` has the same process read alice's settings anew."""
    other = Collector(machine, 8788)
    other.start()
    before = main_pid(machine)
    settings = "/home/alice/.config/flwr-telemetry/config.toml"
    machine.write(settings, f'endpoint = "{other.url}"\n')

    assert systemctl(machine, "reload", UNIT).code == 0
    machine.record("USER_RELOAD", user="alice")
    other.wait_for("USER_RELOAD")
    assert main_pid(machine) == before
    machine.run("rm", settings)
    other.stop()


def test_it_stops_soon_while_a_request_is_stuck(machine: Machine, resident: Collector) -> None:
    """A request that is never answered is given up; the event stays."""
    resident.stop()
    with silent(machine, 8787) as sign:
        machine.record("USER_STUCK", user="alice")
        wait_until((machine.root / sign.lstrip("/")).exists, "a request is under way")
        began = time.monotonic()
        systemctl(machine, "stop", UNIT)

        assert time.monotonic() - began < STOPS_WITHIN_SECONDS
    assert machine.ask_unit(UNIT, "Result", user="alice") == "success"
    assert segments(machine)


def test_on_demand_a_first_event_starts_it_and_nothing_stays(
    machine: Machine, collector: Collector
) -> None:
    """Without a spool yet, too; the lock in the spool does not make it start again."""
    if machine.attempt("systemctl", "is-active", "collector-8787.service").code != 0:
        collector.start()
    machine.run("rm", "-rf", ROOT)
    machine.run(UPLOADER, "install", "--on-demand", user="alice")
    machine.record("USER_FIRST", user="alice")

    collector.wait_for("USER_FIRST")
    wait_until(lambda: machine.ask_unit(ONCE, "ActiveState", user="alice") == "inactive", "it ends")
    machine.record("USER_SECOND", user="alice")
    collector.wait_for("USER_SECOND")
    wait_until(lambda: machine.ask_unit(ONCE, "ActiveState", user="alice") == "inactive", "it ends")
    log = machine.run("journalctl", "-q", "-o", "cat", f"_SYSTEMD_USER_UNIT={ONCE}")
    assert machine.attempt("pgrep", "-f", "uploader.cli once").stdout == "", log
    assert segments(machine) == []
    machine.run(UPLOADER, "uninstall", user="alice")


def test_uninstalling_leaves_the_root_only_and_names_it(
    machine: Machine, resident: Collector
) -> None:
    """No unit file, no link to one, no process; the spool and the receipts stay."""
    machine.record("USER_LAST", user="alice")
    resident.wait_for("USER_LAST")
    said = machine.run(UPLOADER, "uninstall", user="alice")

    found = machine.run("find", "/home/alice", "-path", "*systemd*", "-not", "-type", "d")
    assert found == ""
    assert said.splitlines() == [f"left: {ROOT}"]
    assert machine.names(f"{ROOT}/receipts")
    assert machine.ask_unit(UNIT, "LoadState", user="alice") == "not-found"


@pytest.mark.usefixtures("resident")
def test_installed_units_are_sound(machine: Machine) -> None:
    """`systemd-analyze --user verify` finds nothing in what is installed."""
    machine.run(UPLOADER, "install", "--on-demand", user="alice")
    for unit in (ONCE, "flwr-telemetry-uploader.path", "flwr-telemetry-uploader.timer"):
        done = machine.attempt("systemd-analyze", "--user", "verify", unit, user="alice")
        assert (unit, done.code, done.stderr) == (unit, 0, "")
