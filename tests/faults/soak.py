"""Soak: many writers, an endpoint with faults, and SIGKILL for everyone, again and again.

    python -m tests.faults.soak --events 1000000

Writers call `event()`; `telemetry-uploader run` sends to a collector that fails one request in
five. Every second, or every `--kill-every` events, one of them is killed at random and started
again; the last quarter is left to one uploader, whose memory is watched. At the end

- every event whose `event()` returned is at the collector, by writer and number;
- besides these only events whose `event()` was under way when its writer was killed;
- every body is whole: JSON, with its own SHA-256 as its key, the same each time it came;
- nothing is counted as lost, nothing is among the dead letters, and the spool is empty.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.conftest import Place
from tests.faults.soak_board import Board
from tests.support.environments import REPOSITORY

# Shares of requests, 20 % in all; what is not listed is accepted.
FAULTS = {
    "503": 0.10,
    "hang up before reading": 0.03,
    "hang up after reading": 0.03,
    "hang up after accepting": 0.02,
    "slow": 0.02,
    "429 with Retry-After: 1": 0.0002,
}
MEMORY_BYTES = 10 * 2**20
"""How much an uploader may grow once it is warm."""

_WARM_EVENTS = 1000
_SLOWEST_SECONDS = 0.2
# An uploader that waits for its endpoint has to come back within a few backoffs of each other.
_STALL_SECONDS = 180.0
_TICK_SECONDS = 0.05
# The share of kills that hit the uploader: each costs a start that the writers do not wait for.
_UPLOADER_SHARE = 0.25

_CREATED = b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
_UNAVAILABLE = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
_TOO_MANY = b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"


@dataclass
class Soak:
    """What is to be done, and what has been seen so far."""

    events: int
    writers: int
    seed: int
    kill_every: int
    ahead: int
    requests: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    collected: dict[tuple[int, int], bytes] = field(default_factory=dict)
    """The beginning of the hash of each event that was accepted, by writer and count."""
    repeated: int = 0
    undecided: set[tuple[int, int]] = field(default_factory=set)
    """Events whose `event()` was under way when its writer was killed."""
    killed: Counter[str] = field(default_factory=Counter)
    warm_bytes: int = 0
    grown_bytes: int = 0
    seconds: float = 0.0
    problems: list[str] = field(default_factory=list)

    @property
    def each(self) -> int:
        """How many events a writer records."""
        return self.events // self.writers

    def problem(self, text: str) -> None:
        """Note what should not be."""
        self.problems.append(text)

    def accept(self, key: str, body: bytes) -> None:
        """Take an event as a collector does, and look whether it is whole."""
        digest = hashlib.sha256(body)
        try:
            details = json.loads(body)["event_details"]
            event = (int(details["writer"]), int(details["count"]))
        except (ValueError, KeyError, TypeError):
            self.problem(f"no whole event: {body[:200]!r}")
            return
        if key != digest.hexdigest():
            self.problem(f"event {event} has the key {key}")
        if self.collected.setdefault(event, digest.digest()[:8]) != digest.digest()[:8]:
            self.problem(f"event {event} has two bodies")

    def compare(self) -> None:
        """Compare what the collector has with what was recorded."""
        recorded = {
            (writer, count) for writer in range(self.writers) for count in range(self.each)
        } - self.undecided
        collected = set(self.collected)
        if missing := recorded - collected:
            self.problem(f"{len(missing)} events are missing, {min(missing)} for one")
        if unknown := collected - recorded - self.undecided:
            self.problem(f"{len(unknown)} events were never recorded, {min(unknown)} for one")

    def figures(self) -> str:
        """Return what happened, for people."""
        arrived = len(self.undecided & set(self.collected))
        faults = ", ".join(f"{times} {what}" for what, times in sorted(self.faults.items()))
        grown = f"{self.grown_bytes / 2**20:.1f} MiB"
        return (
            f"events      {len(self.collected)} of {self.writers * self.each} collected, "
            f"{self.seconds:.0f} s, {len(self.collected) / self.seconds:.0f}/s\n"
            f"killed      {self.killed['writer']} writers, {self.killed['uploader']} uploaders\n"
            f"undecided   {len(self.undecided)} under way in a killed writer, {arrived} arrived\n"
            f"requests    {self.requests}, {self.repeated} accepted again under the same key\n"
            f"faults      {faults}\n"
            f"memory      uploader warm {self.warm_bytes / 2**20:.1f} MiB, grew by {grown}"
        )


class _Connection(asyncio.Protocol):
    """A connection of the collector: HTTP/1.1 as far as an uploader speaks it, with faults."""

    def __init__(self, soak: Soak, board: Board, chance: random.Random) -> None:
        self._soak = soak
        self._board = board
        self._chance = chance
        self._received = b""
        self._fault = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, blank, body = self._received.partition(b"\r\n\r\n")
        if not blank:
            return
        if not self._fault:
            self._begin()
        headers = dict(
            line.split(": ", 1) for line in head.decode("latin-1").lower().split("\r\n")[1:]
        )
        length = int(headers["content-length"])
        if not self._transport.is_closing() and len(body) >= length:
            self._received = body[length:]
            self._end(headers["idempotency-key"], body[:length])

    def _begin(self) -> None:
        self._soak.requests += 1
        names = [*FAULTS, "none"]
        self._fault = self._chance.choices(names, [*FAULTS.values(), 1 - sum(FAULTS.values())])[0]
        if self._fault != "none":
            self._soak.faults[self._fault] += 1
        if self._fault == "hang up before reading":
            self._transport.abort()

    def _end(self, key: str, body: bytes) -> None:
        fault, self._fault = self._fault, ""
        if fault == "503":
            self._transport.write(_UNAVAILABLE)
        elif fault.startswith("429"):
            self._transport.write(_TOO_MANY)
        elif fault == "hang up after reading":
            self._transport.abort()
        else:
            self._accept(key, body)
            if fault == "slow":
                delay = self._chance.uniform(0, _SLOWEST_SECONDS)
                asyncio.get_running_loop().call_later(delay, self._created)
            elif fault == "hang up after accepting":
                self._transport.abort()
            else:
                self._created()

    def _created(self) -> None:
        if not self._transport.is_closing():
            self._transport.write(_CREATED)

    def _accept(self, key: str, body: bytes) -> None:
        before = len(self._soak.collected)
        self._soak.accept(key, body)
        after = len(self._soak.collected)
        self._soak.repeated += before == after
        self._board.collected = after


class _Theatre:
    """The processes of a soak, and who kills them."""

    def __init__(self, soak: Soak, directory: Path, url: str, board: Board, path: Path) -> None:
        self._soak = soak
        self._board = board
        self._path = path
        self._chance = random.Random(soak.seed)
        self.place = Place(directory / "telemetry")
        self._environ = os.environ | self.place.environ
        self._environ |= {
            "HOME": str(directory),
            "XDG_CONFIG_HOME": str(directory / "config"),
            "FLWR_TELEMETRY_ENDPOINT": url,
            "FLWR_TELEMETRY_MAX_SPOOL_BYTES": "64GiB",
            "PYTHONUNBUFFERED": "1",
        }
        self._log = (directory / "uploader.log").open("ab")
        self._writers = {number: self._write(number) for number in range(soak.writers)}
        self._warm = (0, 0)
        self._uploader = self._upload()

    def _start(self, *command: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=REPOSITORY,
            env=self._environ,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
        )

    def _write(self, number: int) -> subprocess.Popen[bytes]:
        numbers = (self._soak.writers, number, self._soak.each, self._soak.ahead)
        return self._start("tests.faults.soak_writer", str(self._path), *map(str, numbers))

    def _upload(self) -> subprocess.Popen[bytes]:
        # Its size when it is warm, and how much is collected then.
        self._warm = (0, len(self._soak.collected) + _WARM_EVENTS)
        return self._start("uploader.cli", "run")

    async def play(self) -> None:
        """Kill and start again until all is recorded and collected."""
        recorded = self._soak.writers * self._soak.each
        last, since, next_kill = 0, time.monotonic(), self._soak.kill_every
        next_second = time.monotonic() + 1.0
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            collected, now = len(self._soak.collected), time.monotonic()
            self._look_after(collected)
            if not self._writers and collected >= recorded - len(self._soak.undecided):
                return
            if collected > last:
                last, since = collected, now
            elif now - since > _STALL_SECONDS:
                self._soak.problem(f"nothing arrives any more after {collected} events")
                return
            if collected >= next_kill or now >= next_second:
                next_kill, next_second = collected + self._soak.kill_every, now + 1.0
                self._kill(spare_uploader=collected > 0.75 * recorded)

    def _look_after(self, collected: int) -> None:
        for number, writer in list(self._writers.items()):
            if writer.poll() is not None:
                if writer.returncode:
                    self._soak.problem(f"writer {number} ended with {writer.returncode}")
                del self._writers[number]
        if self._uploader.poll() is not None:
            self._soak.problem(f"the uploader ended with {self._uploader.returncode}")
            self._uploader = self._upload()
        elif collected >= self._warm[1]:
            self._weigh()

    def _weigh(self) -> None:
        size = psutil.Process(self._uploader.pid).memory_info().rss
        self._warm = (self._warm[0] or size, self._warm[1])
        self._soak.warm_bytes = self._warm[0]
        self._soak.grown_bytes = max(self._soak.grown_bytes, size - self._warm[0])

    def _kill(self, *, spare_uploader: bool) -> None:
        if not spare_uploader and self._chance.random() < _UPLOADER_SHARE:
            self._soak.killed["uploader"] += 1
            self._end(self._uploader)
            self._uploader = self._upload()
        elif self._writers:
            number = self._chance.choice(sorted(self._writers))
            self._soak.killed["writer"] += 1
            self._end(self._writers[number])
            begun = self._board.begun(number)
            if self._board.returned(number) < begun:
                self._soak.undecided.add((number, begun - 1))
                self._board.confirm(number, begun)
            self._writers[number] = self._write(number)

    @staticmethod
    def _end(process: subprocess.Popen[bytes]) -> None:
        process.kill()
        process.wait()

    async def close(self) -> None:
        """Stop the uploader, let another one take what is left, and look at the directories."""
        self._uploader.terminate()
        if await asyncio.to_thread(self._uploader.wait):
            self._soak.problem(f"the uploader stopped with {self._uploader.returncode}")
        for path in self.place.spool.glob("*.tmp"):
            os.utime(path, (0, 0))  # long ago: its writer is dead
        last = self._start("uploader.cli", "once", "--wait", "60")
        if await asyncio.to_thread(last.wait):
            self._soak.problem(f"the last run ended with {last.returncode}")
        self._log.close()
        if self.place.names() != ["uploader.lock"]:
            self._soak.problem(f"left in the spool: {self.place.names()[:10]}")
        if letters := list((self.place.root / "rejected").glob("*.jsonl")):
            self._soak.problem(f"dead letters in {letters}")
        for entry in self.place.ledger():
            if "lost" in entry:
                self._soak.problem(f"lost: {entry}")

    def kill_all(self) -> None:
        """Leave no process behind."""
        for process in (*self._writers.values(), self._uploader):
            self._end(process)


async def _run(soak: Soak, directory: Path) -> None:
    path = directory / "board"
    board = Board(path, soak.writers)
    chance = random.Random(soak.seed + 1)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(soak, board, chance), "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/api/v1/event"
    began = time.monotonic()
    theatre = _Theatre(soak, directory, url, board, path)
    try:
        await theatre.play()
        await theatre.close()
    finally:
        theatre.kill_all()
        server.close()
    soak.seconds = time.monotonic() - began
    soak.compare()


def run(soak: Soak) -> Soak:
    """Run a soak to its end; `problems` has what went wrong."""
    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(_run(soak, Path(directory)))
    return soak


def main() -> None:
    """Run the soak and print its figures; exit 1 if anything was lost or broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.soak", description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--writers", type=int, default=16)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--kill-every", type=int, default=10**9, help="events; besides each second")
    arguments = parser.parse_args()
    print(f"seed        {arguments.seed}", flush=True)  # noqa: T201
    soak = run(Soak(**vars(arguments), ahead=min(20_000, arguments.events // 5)))
    if soak.grown_bytes > MEMORY_BYTES:
        soak.problem("the uploader grew by more than 10 MiB")
    print(soak.figures())  # noqa: T201
    for problem in soak.problems[:20]:
        print(f"PROBLEM     {problem}")  # noqa: T201
    sys.exit(bool(soak.problems))


if __name__ == "__main__":
    main()
