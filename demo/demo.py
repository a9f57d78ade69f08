"""Three real Flower simulations without network, their spool, and an uploader that drains it.

Run it with `make demo`. It writes to a temporary directory only, talks to the loopback interface
only, and ends with an error in one line if a single event is missing, doubled or altered.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from demo import evidence
from demo.network import Endpoint, endpoint, find_wall, offline
from demo.processes import DemoFailed, Process, wait_until
from demo.screen import checked, command, failed, heading, output, say
from demo.stage import Stage, stop_shown

SIMULATIONS = 3
EXPECTED = {
    "PYTHON_API_RUN_SIMULATION_ENTER": SIMULATIONS,
    "PYTHON_API_RUN_SIMULATION_LEAVE": SIMULATIONS,
}

_SIMULATION = Path(__file__).with_name("simulation.py")
_DATABASE = "collected.sqlite3"
_PATCHED = (
    "from flwr.supercore import telemetry; from telemetry_spool.flower import is_spooled; "
    "print(is_spooled(telemetry))"
)

# Each takes a second or less; a busy machine may need more.
_LISTEN_SECONDS = 60.0
_DRAIN_SECONDS = 60.0

# Three Rays at once take 15 s on two cores; a slow laptop with a cold cache takes minutes.
_SIMULATION_SECONDS = 600.0


def main() -> int:
    """Tell the story; return the exit code."""
    # Not below TMPDIR: Ray makes sockets in there, whose paths may have 107 bytes at most.
    directory = Path(tempfile.mkdtemp(prefix="flwr-demo-", dir="/tmp"))
    keep = False
    try:
        with Stage(directory) as stage:
            tell(stage)
    except DemoFailed as failure:
        keep = True
        failed(f"{failure} (everything is still in {directory})")
        return 1
    except KeyboardInterrupt:
        failed("interrupted; every process is stopped")
        return 130
    finally:
        if not keep:
            shutil.rmtree(directory, ignore_errors=True)
    return 0


def tell(stage: Stage) -> None:
    """Show that no event is lost. Raises DemoFailed."""
    started = time.monotonic()
    heading("A telemetry spool for Flower: three simulations without network lose no event")
    say(f"Everything happens in {stage.directory} and on the loopback interface.")
    say("Your own spool, your settings and your source id are not touched.")

    heading("1. A collector: it stands in for Flower's telemetry endpoint")
    collector, target = _start_collector(stage, port=0)

    heading("2. Three Flower simulations at the same time, none of which can reach it")
    _check_patched(stage)
    wall = find_wall(stage, target)
    if wall:
        say(f"`{' '.join(wall)}` gives each one a network of its own, with no way out.")
    else:
        say("No network namespace can be made here (unshare): the endpoint goes away instead.")
        stop_shown(collector)
    lines = _simulate(stage, wall, target)

    heading("3. What they left in the spool")
    for arguments in ("status", "list", f"show {evidence.event_id(lines[-1])[:12]}"):
        stage.run_shown(f"telemetry-spool {arguments}")

    heading("4. The uploader: a daemon in a process of its own")
    if not wall:
        say("The endpoint comes back, at the same address.")
        collector, _ = _start_collector(stage, port=target.port)
    _drain(stage, target)

    heading("5. What arrived")
    _compare(stage, lines, target)
    stop_shown(collector)
    heading(f"All {len(lines)} events arrived, exactly once ({time.monotonic() - started:.0f} s).")


def _start_collector(stage: Stage, port: int) -> tuple[Process, Endpoint]:
    arguments = f"collect --host 127.0.0.1 --port {port} --database {_DATABASE}"
    collector = stage.start_shown("collector", f"telemetry-uploader {arguments}")

    def listens() -> bool:
        collector.check_running()
        return bool(collector.printed())

    wait_until(listens, _LISTEN_SECONDS, "the collector prints its URL")
    line = collector.printed().splitlines()[0]
    target = endpoint(line)
    if target is None:
        raise DemoFailed(f"the first line of the collector is not its URL: {line!r}")
    checked(f"it listens at {target.url}")
    return collector, target


def _check_patched(stage: Stage) -> None:
    """Make sure that Flower's telemetry spools here: else it would go to Flower's real endpoint."""
    if stage.run([sys.executable, "-P", "-c", _PATCHED]).strip() != "True":
        raise DemoFailed("Flower's telemetry is not patched in this environment")
    checked("Flower's own telemetry writes to the spool: installing the package was enough")


def _simulate(stage: Stage, wall: Sequence[str], target: Endpoint) -> list[bytes]:
    """Run the simulations at the same time and return the lines that they spooled."""
    line = offline(wall, target, [sys.executable, "-P", str(_SIMULATION)])
    started = time.monotonic()
    running = []
    for number in range(1, SIMULATIONS + 1):
        command(" ".join([*wall, "python", f"demo/{_SIMULATION.name}", "&"]))
        running.append(stage.start(f"simulation-{number}", line))
    say("(some 15 s on two cores)")
    wait_until(lambda: _all_succeeded(running), _SIMULATION_SECONDS, "the simulations end")
    for process in running:
        output(f"{process.name}: {'; '.join(process.printed().splitlines())}")
    checked(f"none could connect, all three ended well after {time.monotonic() - started:.0f} s")
    lines = evidence.spooled_lines(stage.spool)
    types = evidence.event_types(lines)
    if types != EXPECTED:
        raise DemoFailed(f"the spool has {dict(types)}, expected {EXPECTED}")
    checked(f"{SIMULATIONS} ENTER and {SIMULATIONS} LEAVE events are in the spool")
    return lines


def _all_succeeded(running: Sequence[Process]) -> bool:
    succeeded = [process.has_succeeded() for process in running]
    return all(succeeded)


def _drain(stage: Stage, target: Endpoint) -> None:
    uploader = stage.start_shown("uploader", f"telemetry-uploader run --endpoint {target.url}")
    started = time.monotonic()

    def drained() -> bool:
        uploader.check_running()
        return not evidence.segments(stage.spool)

    wait_until(drained, _DRAIN_SECONDS, "the uploader drains the spool")
    checked(f"the spool is drained after {time.monotonic() - started:.1f} s")
    stop_shown(uploader)


def _compare(stage: Stage, lines: Sequence[bytes], target: Endpoint) -> None:
    say(f"The collector's database, {_DATABASE}:")
    arrived = evidence.arrivals(stage.directory / _DATABASE)
    for row in arrived:
        output(f"{row.key[:12]}  {row.received_at}  {json.loads(row.body)['event_type']}")
    _demand(evidence.differences(lines, arrived))
    checked("it has exactly the events that were spooled, byte for byte, each once")

    say("The receipts of the uploader, which stay on this machine:")
    noted = evidence.receipts(stage.root / "receipts")
    for receipt in noted:
        output(json.dumps(receipt))
    _demand(evidence.receipt_differences(lines, noted, target.url))
    checked("there is one receipt for each event")

    stage.run_shown("telemetry-spool status")
    left = {file.name for file in stage.spool.iterdir()} - {"uploader.lock"}
    _demand([f"{name} is left in the spool" for name in sorted(left)])
    checked("the spool is empty")


def _demand(problems: Sequence[str]) -> None:
    if problems:
        raise DemoFailed("; ".join(problems))


if __name__ == "__main__":
    sys.exit(main())
