"""What the resident daemon costs while it has nothing to do.

    python -m benchmarks.idle [--minutes 10]

It runs as under systemd (notification socket, watchdog) on an empty spool, before and after a first
event has gone to a collector on this machine. Needs Linux.
"""

from __future__ import annotations

import argparse
import socket
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.arguments import duration
from telemetry_spool.spool import Spool
from telemetry_spool.writer_settings import writer_config
from tests.support.processes import DEADLINE_SECONDS, UPLOADER, command, running

WATCHDOG_SECONDS = 120
"""As in the unit files."""

# Starting is not idling: the first look, the first heartbeat, the first tidying are over by then.
_SETTLING_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process has used so far: seconds of CPU, and how often a thread of it woke up."""

    cpu: float
    wakeups: int


def usage(pid: int) -> Usage:
    """Return what the threads of a process have used."""
    nanoseconds = wakeups = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        nanoseconds += int((task / "schedstat").read_text().split()[0])
        for line in (task / "status").read_text().splitlines():
            if line.startswith("voluntary_ctxt_switches"):
                wakeups += int(line.split()[1])
    return Usage(nanoseconds / 1e9, wakeups)


def memory(pid: int) -> dict[str, float]:
    """Return RSS, PSS and private memory of a process in MiB."""
    found: dict[str, float] = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        name, kibibytes = line.split()[:2]
        found[name.rstrip(":")] = int(kibibytes) / 1024
    return {
        "RSS": found["Rss"],
        "PSS": found["Pss"],
        "private": found["Private_Clean"] + found["Private_Dirty"],
    }


def hear(channel: socket.socket, word: str) -> None:
    """Read notifications until one has this word in it. Raises TimeoutError."""
    while word not in channel.recv(4096).decode():
        pass


def idle(title: str, pid: int, seconds: float) -> None:
    """Watch a process do nothing, and print what that cost."""
    time.sleep(_SETTLING_SECONDS)
    begun, before = time.monotonic(), usage(pid)
    time.sleep(seconds)
    minutes, after = (time.monotonic() - begun) / 60, usage(pid)
    cpu = 1000 * (after.cpu - before.cpu) / minutes
    wakeups = (after.wakeups - before.wakeups) / minutes
    sizes = "".join(f"{size:>10.1f}" for size in memory(pid).values())
    sys.stdout.write(f"{title:<22}{cpu:>14.1f}{wakeups:>12.0f}{sizes}\n")
    sys.stdout.flush()


def measure(directory: Path, seconds: float) -> None:
    """Run collector and daemon in a directory, and print a row before and after an event."""
    environ = {
        "HOME": str(directory),
        "FLWR_TELEMETRY_DIR": str(directory / "telemetry"),
        # As installed: nothing is compiled while it runs.
        "PYTHONPYCACHEPREFIX": str(directory / "compiled"),
        "PYTHONDONTWRITEBYTECODE": "",
    }
    managed = {
        "NOTIFY_SOCKET": str(directory / "notify"),
        "WATCHDOG_USEC": str(WATCHDOG_SECONDS * 1_000_000),
    }
    spool = Spool(writer_config(environ))
    collect = ("collect", "--port", "0", "--database", str(directory / "events.db"))
    with running(UPLOADER, *collect, environ=environ) as collector:
        environ["FLWR_TELEMETRY_ENDPOINT"] = collector.first_line()
        spool.append(b'{"event_type": "FIRST_RUN"}')
        compiled = command(UPLOADER, "once", environ=environ)
        if compiled.code:
            sys.exit(compiled.stderr)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            channel.bind(str(directory / "notify"))
            channel.settimeout(DEADLINE_SECONDS)
            with running(UPLOADER, "run", environ=environ | managed) as daemon:
                hear(channel, "READY=1")
                idle("before a first event", daemon.pid, seconds)
                spool.append(b'{"event_type": "SECOND_RUN"}')
                hear(channel, "1 event sent")
                idle("after it", daemon.pid, seconds)


def main() -> None:
    """Print CPU, wake-ups and memory."""
    parser = argparse.ArgumentParser(description="What the resident daemon costs while idle.")
    parser.add_argument("--minutes", type=duration, default=10.0, help="minutes a row")
    minutes = parser.parse_args().minutes
    sys.stdout.write(
        f"{'idle ' + format(minutes, 'g') + ' min':<22}{'CPU ms/min':>14}{'wakeups/min':>12}"
        f"{'RSS MiB':>10}{'PSS MiB':>10}{'private':>10}\n"
    )
    sys.stdout.flush()
    with tempfile.TemporaryDirectory() as directory:
        measure(Path(directory), minutes * 60)


if __name__ == "__main__":
    main()
