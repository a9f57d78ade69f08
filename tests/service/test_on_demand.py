"""The system's service on demand: started by events and by a timer, and otherwise not there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.service.endpoints import Collector
from tests.service.machine import PYTHON, UPLOADER, Machine, wait_until

ONCE = "flwr-telemetry-once.service"
PATH = "flwr-telemetry-uploader.path"
TIMER = "flwr-telemetry-uploader.timer"
DROP_BOX = "/var/spool/flwr-telemetry"


@pytest.fixture(scope="module")
def collector(machine: Machine) -> Iterator[Collector]:
    """Install the service with an endpoint inside the machine, and a user."""
    made = Collector(machine, 8787)
    machine.write("/etc/xdg/flwr-telemetry/config.toml", f'endpoint = "{made.url}"\n')
    made.start()
    machine.add_user("alice")
    machine.run(UPLOADER, "install", "--system", "--on-demand")
    yield made
    machine.run(UPLOADER, "uninstall", "--system")
    made.stop()


def ended(machine: Machine) -> bool:
    """Tell whether no sender runs."""
    return machine.ask_unit(ONCE, "ActiveState") == "inactive"


def sealed(machine: Machine) -> list[str]:
    """Return the segments that wait for another run."""
    return [name for name in machine.names(DROP_BOX) if name[:8].isdigit()]


def starts(machine: Machine) -> int:
    """Return how often a sender has been started."""
    log = machine.run("journalctl", "-q", "-o", "cat", "-u", ONCE)
    return log.count("Starting ")


def senders(machine: Machine) -> list[str]:
    """Return the processes of the uploader's user."""
    done = machine.attempt("pgrep", "-u", "flwr-telemetry", "--list-full")
    return done.stdout.splitlines()


def test_a_first_event_starts_it_and_nothing_stays(machine: Machine, collector: Collector) -> None:
    """Before and after, no process of the uploader's is there; the watch goes on."""
    before = senders(machine)
    machine.record("FIRST", user="alice")

    collector.wait_for("FIRST")
    wait_until(lambda: ended(machine), "the sender ends")
    assert (before, senders(machine)) == ([], [])
    assert machine.ask_unit(PATH, "SubState") == "waiting"


def test_a_burst_of_events_does_not_end_the_watch(machine: Machine, collector: Collector) -> None:
    """Hundreds of changes within a second are a run or a few, and the next event starts one."""
    before = starts(machine)
    burst = "import telemetry_spool\nfor i in range(500): telemetry_spool.event('BURST', {'i': i})"
    machine.run(PYTHON, "-c", burst, user="alice")
    wait_until(lambda: _arrived(collector, "BURST") == 500, "the burst arrives")
    wait_until(lambda: ended(machine), "the sender ends")

    assert starts(machine) - before <= 3
    machine.record("AFTER_BURST", user="alice")
    collector.wait_for("AFTER_BURST")


def _arrived(collector: Collector, event_type: str) -> int:
    return [name for name, _ in collector.deliveries()].count(event_type)


def test_without_events_python_is_not_started(machine: Machine, collector: Collector) -> None:
    """When the timer comes by and there is nothing to send, the sender is skipped."""
    wait_until(lambda: ended(machine) and not sealed(machine), "everything has been sent")
    collector.stop()  # it would be noticed
    machine.run("systemctl", "start", ONCE)
    collector.start()

    assert machine.ask_unit(ONCE, "Result") == "exec-condition"
    assert machine.ask_unit(ONCE, "ActiveState") == "inactive"


def test_kept_events_are_no_failure_and_wait_for_the_timer(
    machine: Machine, collector: Collector
) -> None:
    """While the endpoint is down, the sender ends well and is not started over and over."""
    collector.stop()
    before = starts(machine)
    machine.record("KEPT", user="alice")
    wait_until(lambda: bool(sealed(machine)) and ended(machine), "the sender has kept it")

    assert machine.ask_unit(ONCE, "Result") == "success"
    assert machine.ask_unit(PATH, "SubState") == "waiting"
    assert machine.ask_unit(TIMER, "SubState") == "waiting"
    machine.record("KEPT_TOO", user="alice")
    wait_until(
        lambda: len(sealed(machine)) == 2 and ended(machine), "the sender has kept that as well"
    )
    assert starts(machine) - before <= 3

    collector.start()
    drop_in = f"/run/systemd/system/{TIMER}.d/50-impatient.conf"
    machine.write(
        drop_in, "[Timer]\nOnUnitInactiveSec=1s\nRandomizedDelaySec=0\nAccuracySec=100ms\n"
    )
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "restart", TIMER)
    collector.wait_for("KEPT")
    collector.wait_for("KEPT_TOO")
    assert {count for name, count in collector.deliveries() if name.startswith("KEPT")} == {1}
    machine.run("rm", drop_in)
    machine.run("systemctl", "daemon-reload")


@pytest.mark.usefixtures("collector")
def test_installed_units_are_sound(machine: Machine) -> None:
    """`systemd-analyze verify` finds nothing in what is installed."""
    done = machine.attempt("systemd-analyze", "verify", PATH, TIMER, ONCE)

    assert (done.code, done.stdout, done.stderr) == (0, "", "")
