"""Every process that Flower starts, or that a training script starts, records its events."""

from __future__ import annotations

import shutil
import signal
import socket
import time

import psutil
import pytest

from tests.flower.conftest import NewHome
from tests.flower.home import PROGRAMS, RUN_SECONDS, Home, Running
from tests.flower.namespaces import offline
from tests.flower.versions import EVERY, FLWR_1_20, FLWR_1_41, Version, name_of

# Simulated clients that need little, and a SuperLink that keeps its state in memory.
FLOWER_CONFIG = """\
[superlink]
default = "local"

[superlink.local]
address = ":local-in-memory:"
options.num-supernodes = 1
options.backend.client-resources.num-cpus = 1
options.backend.init-args.num-cpus = 1
options.backend.init-args.include-dashboard = false
options.backend.init-args._node_ip_address = "127.0.0.1"
"""


def free_address() -> str:
    """Return an address on loopback that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


def port_of(address: str) -> str:
    """Return the port of an address."""
    return address.rpartition(":")[2]


def wait_until_handled(process: psutil.Process, number: signal.Signals) -> None:
    """Wait until a process has a handler for a signal; the interpreter has one for SIGINT."""
    deadline = time.monotonic() + RUN_SECONDS
    while not _caught_by(process.pid) >> (number - 1) & 1:
        assert time.monotonic() < deadline, f"{process.cmdline()} handles no {number.name}"
        time.sleep(0.02)


def _caught_by(pid: int) -> int:
    with open(f"/proc/{pid}/status", encoding="utf-8") as status:
        return next(int(line.split()[1], 16) for line in status if line.startswith("SigCgt"))


def stop(running: Running, number: signal.Signals) -> None:
    """Send a signal to a process of Flower that is ready for it, and wait for its end."""
    started = psutil.Process(running.process.pid)
    for member in (started, *started.children(recursive=True)):
        wait_until_handled(member, signal.SIGTERM)
    running.process.send_signal(number)
    running.finish()


def test_flwr_run(new_home: NewHome) -> None:
    """`flwr run`: its SuperLink, its SuperExec, the simulation and its Ray worker."""
    home = new_home(FLWR_1_41.environment)
    app = shutil.copytree(PROGRAMS / "roundtrip", home.directory / "app")
    flower_home = home.directory / "home" / ".flwr"
    flower_home.mkdir(parents=True)
    (flower_home / "config.toml").write_text(FLOWER_CONFIG, "utf-8")
    ports = {
        "FLWR_LOCAL_SUPERLINK_HTTP_API_PORT": port_of(free_address()),
        "FLWR_LOCAL_CONTROL_API_PORT": port_of(free_address()),
    }

    command = ("flwr", "run", str(app), "--stream")
    run = home.start(*command, prefix=offline(), variables=ports).succeed()

    spooled = home.wait_for({"FLWR_SIMULATION_RUN_LEAVE": 1})
    assert set(spooled) == {
        "RUN_SUPERLINK_ENTER",
        "RUN_SUPEREXEC_ENTER",
        "FLWR_SIMULATION_RUN_ENTER",
        "PING",
        "FLWR_SIMULATION_RUN_LEAVE",
    }
    assert home.origins() == ["Ray worker"]
    assert "App dependencies installed successfully via uv sync" in run.stdout + run.stderr


def test_superlink_and_supernode(new_home: NewHome) -> None:
    """Both record ENTER, and the SuperExec that each starts; what a signal stops records LEAVE.

    The SuperLink of 1.41 lets uvicorn end it and has no LEAVE of its own.
    """
    home = new_home(FLWR_1_41.environment)
    address = free_address()
    superlink = home.start("flower-superlink", "--insecure", "--port", port_of(address))
    home.wait_for({"RUN_SUPERLINK_ENTER": 1, "RUN_SUPEREXEC_ENTER": 1})
    node_port = ("--port", port_of(free_address()))
    supernode = home.start("flower-supernode", "--insecure", "--superlink", address, *node_port)
    home.wait_for({"RUN_SUPERNODE_ENTER": 1, "RUN_SUPEREXEC_ENTER": 2})

    stop(supernode, signal.SIGINT)
    stop(superlink, signal.SIGTERM)

    assert home.wait_for({"RUN_SUPERNODE_LEAVE": 1, "RUN_SUPEREXEC_LEAVE": 2}) == {
        "RUN_SUPERLINK_ENTER": 1,
        "RUN_SUPERNODE_ENTER": 1,
        "RUN_SUPERNODE_LEAVE": 1,
        "RUN_SUPEREXEC_ENTER": 2,
        "RUN_SUPEREXEC_LEAVE": 2,
    }


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda each: each.name)
def test_superlink_and_supernode_of_a_release_before(
    number: signal.Signals, new_home: NewHome
) -> None:
    """In 1.20 both record ENTER and, stopped by either signal, LEAVE."""
    home = new_home(FLWR_1_20.environment)
    fleet = free_address()
    superlink = home.start(
        *("flower-superlink", "--insecure", "--isolation", "process"),
        *("--fleet-api-address", fleet, "--exec-api-address", free_address()),
        *("--serverappio-api-address", free_address()),
    )
    supernode = home.start(
        *("flower-supernode", "--insecure", "--isolation", "process"),
        *("--superlink", fleet, "--clientappio-api-address", free_address()),
    )
    home.wait_for({"RUN_SUPERLINK_ENTER": 1, "RUN_SUPERNODE_ENTER": 1})

    stop(supernode, number)
    stop(superlink, number)

    assert home.spooled() == {
        "RUN_SUPERLINK_ENTER": 1,
        "RUN_SUPERLINK_LEAVE": 1,
        "RUN_SUPERNODE_ENTER": 1,
        "RUN_SUPERNODE_LEAVE": 1,
    }


@pytest.mark.parametrize("version", EVERY, ids=name_of)
def test_children_of_a_training_script(version: Version, new_home: NewHome) -> None:
    """Forked and spawned children and threads record their events, before and after the parent."""
    home = new_home(version.environment)

    home.start_program("children.py", version.module).succeed()

    assert home.origins() == sorted(
        [
            "os.fork before the first event",
            "parent",
            "os.fork",
            "multiprocessing fork",
            "multiprocessing spawn",
            "multiprocessing forkserver",
            "thread",
        ]
    )
    assert clusters_of(home, "os.fork") == clusters_of(home, "parent"), "one run, as in Flower"


def clusters_of(home: Home, origin: str) -> list[str]:
    """Return the cluster ids of the events from there."""
    events = [event for event in home.place.events() if event["event_details"]["from"] == origin]
    return [event["context"]["cluster"] for event in events]
