"""How long after it was recorded an event is with the endpoint, while the shipper watches."""

from __future__ import annotations

import random
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import quantiles

from benchmarks.drain.followers import Follower, Record, followers
from benchmarks.drain.peers import Peers
from benchmarks.drain.processes import last_line
from benchmarks.drain.sinks import Sink, sink
from benchmarks.drain.source import Source
from benchmarks.drain.subjects import Kind
from benchmarks.drain.tables import Table, figure, ratio
from benchmarks.drain.turns import progress

_MEAN_PAUSE_SECONDS = 0.05
_PATIENCE_SECONDS = 30.0


class Late(Exception):
    """Events that did not arrive in time; the message has what the shipper said last."""


def freshness(peers: Peers, events: int, scratch: Path) -> list[Table]:
    """Measure our daemon and the peers that follow a file."""
    found: list[tuple[Follower, Sequence[float]]] = []
    remarks = []
    for follower in followers(peers):
        try:
            delays = _delays(follower, events, scratch)
        except Late as late:
            remarks.append(f"Failed: {follower.name}: {late}.")
        else:
            found.append((follower, delays))
            progress(f"{follower.name}: p50 {_at(delays, 50):.1f} ms, p99 {_at(delays, 99):.1f} ms")
    theirs = [_at(delays, 50) for follower, delays in found if follower.kind is Kind.PEER]
    rows = [_row(follower, delays, min(theirs, default=None)) for follower, delays in found]
    about = (
        f"{events:,} events one by one, {_MEAN_PAUSE_SECONDS * 1000:g} ms apart on average, while "
        "the shipper watches: from the return of the append until the endpoint has the request."
    )
    columns = ("", "p50 ms", "p99 ms", "p50 to the best peer's", "p99 to p50")
    return [Table("From the disk to the endpoint", about, columns, rows, remarks)]


def _row(follower: Follower, delays: Sequence[float], best: float | None) -> list[str]:
    p50, p99 = _at(delays, 50), _at(delays, 99)
    name = f"{follower.kind.value}: {follower.name}"
    return [name, figure(p50), figure(p99), ratio(p50, best), ratio(p99, p50)]


def _at(delays: Sequence[float], percent: int) -> float:
    return quantiles(delays, n=100)[percent - 1] * 1000


def _delays(follower: Follower, events: int, scratch: Path) -> list[float]:
    directory = Path(tempfile.mkdtemp(dir=scratch))
    log = directory / "said"
    try:
        with sink(follower.endpoint) as server, log.open("wb") as said:
            command, record = follower.start(directory, server)
            process = subprocess.Popen(  # noqa: S603 - what is to be measured
                command.argv, cwd=directory, env=dict(command.environ), stdout=said, stderr=said
            )
            try:
                return _recorded(Source.made(scratch, events), server, record, log)
            finally:
                process.terminate()
                process.wait(_PATIENCE_SECONDS)
    finally:
        shutil.rmtree(directory)


def _recorded(source: Source, server: Sink, record: Record, log: Path) -> list[float]:
    """Record events and return how long each took; the first only shows that all has started."""
    lines = source.path.read_bytes().splitlines()
    recorded = []
    for number, line in enumerate(lines):
        record(line)
        recorded.append(time.monotonic())
        if number == 0:
            _wait(server, 1, log)
        time.sleep(random.expovariate(1 / _MEAN_PAUSE_SECONDS))
    _wait(server, len(lines), log)
    pairs = zip(recorded[1:], server.arrivals(source.path)[1:], strict=True)
    return [at - since for since, at in pairs if at is not None]


def _wait(server: Sink, count: int, log: Path) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while server.arrived() < count:
        if time.monotonic() > deadline:
            raise Late(f"{server.arrived()} of {count} events arrived: {last_line(log)}")
        time.sleep(0.01)
