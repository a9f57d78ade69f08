"""What telemetry costs a process of Flower's: with this package, with Flower alone, switched off.

    python -m benchmarks.flower_process [--runs 10] [--json FILE]

Each run is an interpreter that imports Flower, emits an event and ends with `flwr_exit`, which
emits another one and waits for it. Flower's own telemetry is answered at once, by a server on
loopback without TLS: the real endpoint takes longer. The conditions of a round are run one after
the other in random order; CPU time is that of the process and its children. Ratios are medians of
those of each round. Needs Flower beside this package: `pip install -r benchmarks/requirements.txt`.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from threading import Thread
from time import perf_counter

RUNS = 10

EMIT = """
import sys
from flwr.supercore import telemetry
from flwr.supercore.exit import ExitCode, flwr_exit
telemetry.TELEMETRY_EVENTS_URL = sys.argv[1]
telemetry.event(telemetry.EventType.RUN_SUPERLINK_ENTER)
flwr_exit(
    ExitCode.SUCCESS,
    event_type=telemetry.EventType.RUN_SUPERLINK_LEAVE,
    event_details={"success": True},
)
"""

ALONE = {"FLWR_TELEMETRY_SPOOL": "0"}
DISABLED = {"FLWR_TELEMETRY_ENABLED": "0"}


@dataclass
class Condition:
    """A way to run the process, and what each run took, in seconds."""

    name: str
    environ: dict[str, str]
    online: bool
    events: int
    """How many events a run leaves in the spool."""
    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)


def conditions() -> list[Condition]:
    """Return the conditions; the first is the measure of the others."""
    return [
        Condition("telemetry disabled", ALONE | DISABLED, online=True, events=0),
        Condition("telemetry disabled, this package installed", DISABLED, online=True, events=0),
        Condition("with this package, online", {}, online=True, events=2),
        Condition("with this package, offline", {}, online=False, events=2),
        Condition("Flower's own telemetry, online", ALONE, online=True, events=0),
        Condition("Flower's own telemetry, connection refused", ALONE, online=False, events=0),
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.flower_process",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows to this file")
    arguments = parser.parse_args()
    if find_spec("flwr") is None:
        sys.stdout.write("skipped: flwr is not installed beside this package\n")
        return
    measured = conditions()
    with tempfile.TemporaryDirectory() as directory, endpoint() as (online, refused):
        for turn in range(arguments.runs + 1):
            for condition in random.sample(measured, len(measured)):
                home = Path(directory, str(measured.index(condition)), str(turn))
                url = online if condition.online else refused
                wall, cpu = run(condition, home, url)
                if turn:  # the first one compiles, and fills the page cache
                    condition.wall.append(wall)
                    condition.cpu.append(cpu)
    rows = [row(condition, measured[0]) for condition in measured]
    report(rows, arguments.runs)
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


def run(condition: Condition, home: Path, url: str) -> tuple[float, float]:
    """Run the process once in a new home; return the seconds on the wall and of CPU time."""
    home.mkdir(parents=True)
    environ = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("FLWR_", "XDG_")) and name != "DO_NOT_TRACK"
    }
    environ |= {"HOME": str(home), "FLWR_TELEMETRY_DIR": str(home / "telemetry")}
    begin = perf_counter()
    process = subprocess.Popen(  # noqa: S603 - this interpreter
        [sys.executable, "-c", EMIT, url],
        cwd=home,
        env=environ | condition.environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    wall = perf_counter() - begin
    process.returncode = os.waitstatus_to_exitcode(status)
    spooled = sum(
        len(path.read_bytes().splitlines()) for path in home.glob("telemetry/spool/*.jsonl")
    )
    if process.returncode or spooled != condition.events:
        raise SystemExit(
            f"{condition.name}: exit code {process.returncode}, {spooled} events in the spool"
        )
    return wall, usage.ru_utime + usage.ru_stime


@contextmanager
def endpoint() -> Iterator[tuple[str, str]]:
    """Serve an endpoint that accepts everything; yield its URL, and one where nobody listens."""

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            body = b'{"status": "created"}'
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server, socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # nobody listens, and nobody else gets the port
        Thread(target=server.serve_forever, daemon=True).start()
        ports = server.server_address[1], closed.getsockname()[1]
        online, refused = (f"http://127.0.0.1:{port}/api/v1/event" for port in ports)
        yield online, refused
        server.shutdown()


def row(condition: Condition, least: Condition) -> dict[str, str | float]:
    """Return the medians of a condition, and of its ratios to the least in the same rounds."""

    def ratio(these: list[float], those: list[float]) -> float:
        return statistics.median(a / b for a, b in zip(these, those, strict=True))

    return {
        "name": condition.name,
        "wall_ms": statistics.median(condition.wall) * 1e3,
        "wall_ratio": ratio(condition.wall, least.wall),
        "cpu_ms": statistics.median(condition.cpu) * 1e3,
        "cpu_ratio": ratio(condition.cpu, least.cpu),
    }


def report(rows: list[dict[str, str | float]], runs: int) -> None:
    """Print a table."""
    sys.stdout.write(f"A process of Flower's that emits two events, ms, medians of {runs} runs\n")
    sys.stdout.write(f"{'':46}{'wall':>9}{'ratio':>9}{'CPU':>9}{'ratio':>9}\n")
    for each in rows:
        sys.stdout.write(
            f"{each['name']:46}{each['wall_ms']:9.0f}{each['wall_ratio']:9.3f}"
            f"{each['cpu_ms']:9.0f}{each['cpu_ratio']:9.3f}\n"
        )


if __name__ == "__main__":
    main()
