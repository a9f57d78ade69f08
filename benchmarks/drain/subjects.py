"""What is measured: something that can deliver a source to a sink."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from benchmarks.drain.processes import Command
from benchmarks.drain.sinks import Endpoint
from benchmarks.drain.source import Source

PLAIN_ANSWER = Endpoint()


class Kind(Enum):
    """Whose a subject is."""

    OURS = "ours"
    PEER = "peer"
    FLOOR = "floor"


@dataclass(frozen=True, slots=True)
class Job:
    """One run: deliver `source` to a sink on `port`; `directory` is empty, for what that needs."""

    source: Source
    directory: Path
    port: int

    @property
    def url(self) -> str:
        """Where to post events."""
        return f"http://127.0.0.1:{self.port}/api/v1/event"


@dataclass(frozen=True, slots=True)
class Subject:
    """One way to deliver, in one configuration."""

    name: str
    kind: Kind
    prepare: Callable[[Job], Command]
    """Lays out what the command needs: not measured."""
    compressed: bool = False
    share: float = 1.0
    """The part of the group's events that it delivers: less than 1 for what takes long."""
    endpoint: Endpoint = PLAIN_ANSWER
    config: str = ""
    """Name of its configuration file below benchmarks/peers, or its settings in words."""
    missing: str = ""
    """Why it cannot be measured here and how that could be changed; empty if it can."""
    untested: bool = False
    """Whether this configuration was written without the program at hand."""
