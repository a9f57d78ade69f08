"""Shippers that watch while events are recorded, and how an event is recorded for each."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.drain.ours import environment, uploader
from benchmarks.drain.peers import Peers
from benchmarks.drain.processes import Command
from benchmarks.drain.sinks import Endpoint, Sink
from benchmarks.drain.source import Source
from benchmarks.drain.subjects import PLAIN_ANSWER, Job, Kind, Subject
from telemetry_spool.spool import Spool
from telemetry_spool.writer_settings import writer_config

Record = Callable[[bytes], object]


@dataclass(frozen=True, slots=True)
class Follower:
    """A shipper that stays; `start` returns its command and what records an event for it."""

    name: str
    kind: Kind
    endpoint: Endpoint
    start: Callable[[Path, Sink], tuple[Command, Record]]


def followers(peers: Peers) -> list[Follower]:
    """Return our daemon and the peers that are there."""
    ours = Follower("telemetry-uploader run", Kind.OURS, PLAIN_ANSWER, _daemon)
    return [ours, *(_follower(peer) for peer in peers.single() if not peer.missing)]


def _daemon(directory: Path, server: Sink) -> tuple[Command, Record]:
    environ = environment(directory, server.url, {})
    command = Command(uploader(Path(sys.executable), "run"), environ, stays=True)
    return command, Spool(writer_config(environ)).append


def _follower(peer: Subject) -> Follower:
    def start(directory: Path, server: Sink) -> tuple[Command, Record]:
        followed = directory / "followed"
        descriptor = os.open(followed, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

        def record(line: bytes) -> None:
            os.write(descriptor, line + b"\n")

        return peer.prepare(Job(Source(followed, 0), directory, server.port)), record

    return Follower(peer.name, peer.kind, peer.endpoint, start)
