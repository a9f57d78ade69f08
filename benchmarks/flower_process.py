"""What telemetry costs a process of Flower's: with this package, with Flower alone, switched off.

    python -m benchmarks.flower_process [--runs 60] [--json FILE]

Each run is an interpreter that imports Flower, emits an event and ends with `flwr_exit`, which
emits another one and waits for it. Flower's own telemetry is answered at once, by a server on
loopback, with TLS as the real one, which takes longer, and a single authority to load. The
conditions of a round are run one after the other in random order; CPU time is that of the process
and its children. Ratios are medians of those of each round, with the interval that has their true
median in it 95 times of 100. Needs Flower beside this package:
`pip install -r benchmarks/requirements.txt`.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from threading import Thread
from time import perf_counter

import trustme

from benchmarks.arguments import count
from benchmarks.ratios import ratio

RUNS = 60
"""Ten leave intervals of 10 % and more, where 3 % are to be told apart."""
AUTHORITY = "authority.pem"

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
    endpoint: str
    events: int
    """How many events a run leaves in the spool."""
    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)


TLS, PLAIN, REFUSED = "TLS", "no TLS", "refused"


def conditions() -> list[Condition]:
    """Return the conditions; the first and the second are the measures of the others."""
    return [
        Condition("telemetry disabled", ALONE | DISABLED, TLS, events=0),
        Condition("Flower's own telemetry, online", ALONE, TLS, events=0),
        Condition("Flower's own telemetry, online without TLS", ALONE, PLAIN, events=0),
        Condition("Flower's own telemetry, connection refused", ALONE, REFUSED, events=0),
        Condition("telemetry disabled, this package installed", DISABLED, TLS, events=0),
        Condition("with this package, online", {}, TLS, events=2),
        Condition("with this package, offline", {}, REFUSED, events=2),
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.flower_process",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--runs", type=count, default=RUNS)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows to this file")
    arguments = parser.parse_args()
    if find_spec("flwr") is None:
        sys.stdout.write("skipped: flwr is not installed beside this package\n")
        return
    measured = conditions()
    with tempfile.TemporaryDirectory() as directory, endpoints(Path(directory)) as urls:
        for turn in range(arguments.runs + 1):
            for condition in random.sample(measured, len(measured)):
                home = Path(directory, str(measured.index(condition)), str(turn))
                wall, cpu = run(condition, home, urls[condition.endpoint])
                if turn:  # the first one compiles, and fills the page cache
                    condition.wall.append(wall)
                    condition.cpu.append(cpu)
    disabled, own = measured[:2]
    rows = [row(condition, disabled, own) for condition in measured]
    report(rows, arguments.runs)
    if arguments.json:
        arguments.json.write_text(
            json.dumps(rows, indent=2, default=asdict) + "\n", encoding="utf-8"
        )


def run(condition: Condition, home: Path, url: str) -> tuple[float, float]:
    """Run the process once in a new home; return the seconds on the wall and of CPU time."""
    home.mkdir(parents=True)
    environ = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("FLWR_", "XDG_")) and name != "DO_NOT_TRACK"
    }
    environ |= {
        "HOME": str(home),
        "FLWR_TELEMETRY_DIR": str(home / "telemetry"),
        "SSL_CERT_FILE": str(home.parents[1] / AUTHORITY),
    }
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
def endpoints(directory: Path) -> Iterator[dict[str, str]]:
    """Serve endpoints that accept everything; yield their URLs, and one where nobody listens.

    The authority of the one with TLS is in a file in `directory`.
    """

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            body = b'{"status": "created"}'
            with suppress(OSError):  # a process may end before it is answered
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.cert_pem.write_to_path(directory / AUTHORITY)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    loopback = ("127.0.0.1", 0)
    with (
        ThreadingHTTPServer(loopback, Answer) as plain,
        ThreadingHTTPServer(loopback, Answer) as secure,
        socket.socket() as closed,
    ):
        secure.socket = context.wrap_socket(
            secure.socket, server_side=True, do_handshake_on_connect=False
        )
        closed.bind(loopback)  # nobody listens, and nobody else gets the port
        for server in (plain, secure):
            Thread(target=server.serve_forever, daemon=True).start()
        yield {
            PLAIN: f"http://127.0.0.1:{plain.server_address[1]}/api/v1/event",
            TLS: f"https://127.0.0.1:{secure.server_address[1]}/api/v1/event",
            REFUSED: f"https://127.0.0.1:{closed.getsockname()[1]}/api/v1/event",
        }
        plain.shutdown()
        secure.shutdown()


def row(condition: Condition, disabled: Condition, own: Condition) -> dict[str, object]:
    """Return the medians of a condition, and how it compares in the same rounds."""
    return {
        "name": condition.name,
        "wall_ms": statistics.median(condition.wall) * 1e3,
        "wall_to_disabled": ratio(condition.wall, disabled.wall),
        "wall_to_own": ratio(condition.wall, own.wall),
        "cpu_ms": statistics.median(condition.cpu) * 1e3,
        "cpu_to_disabled": ratio(condition.cpu, disabled.cpu),
        "cpu_to_own": ratio(condition.cpu, own.cpu),
    }


def report(rows: list[dict[str, object]], runs: int) -> None:
    """Print a table of wall time and one of CPU time."""
    sys.stdout.write(f"A process of Flower's that emits two events, medians of {runs} runs\n")
    for name, title in (("wall", "wall ms"), ("cpu", "CPU ms")):
        heads = f"{title:>9}{'to telemetry disabled':>24}{'to its own, online':>24}"
        sys.stdout.write(f"{'':44}{heads}\n")
        for each in rows:
            sys.stdout.write(
                f"{each['name']:44}{each[f'{name}_ms']:9.1f}"
                f"{each[f'{name}_to_disabled']!s:>24}{each[f'{name}_to_own']!s:>24}\n"
            )


if __name__ == "__main__":
    main()
