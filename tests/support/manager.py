"""A service manager's end of sd_notify(3): a socket that hears what a daemon says of itself."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.processes import DEADLINE_SECONDS


@dataclass(slots=True)
class Manager:
    """What hears a daemon. `heard` is every message so far, as variables by name."""

    address: str
    channel: socket.socket
    heard: list[dict[str, str]] = field(default_factory=list)

    @property
    def environ(self) -> Mapping[str, str]:
        """The variable by which a daemon finds it."""
        return {"NOTIFY_SOCKET": self.address}

    def hear(self, *, seconds: float = DEADLINE_SECONDS) -> dict[str, str]:
        """Return the next message. Raises TimeoutError."""
        self.channel.settimeout(seconds)
        text = self.channel.recv(65536).decode()
        message = dict(line.split("=", 1) for line in text.splitlines())
        self.heard.append(message)
        return message

    def hear_until(self, name: str, value: str | None = None) -> dict[str, str]:
        """Return the next message with this variable, with a `value` in it if one is given."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while True:
            message = self.hear(seconds=max(0.01, deadline - time.monotonic()))
            if name in message and (value is None or value in message[name]):
                return message

    def hears_nothing(self, name: str, *, seconds: float) -> bool:
        """Tell whether no message with this variable comes for a while."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            try:
                if name in self.hear(seconds=left):
                    return False
            except TimeoutError:
                break
        return True


@contextmanager
def listening(path: Path, *, abstract: bool = False) -> Iterator[Manager]:
    """Listen at a path, or at an abstract address made of it."""
    address = f"@{path}" if abstract else str(path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind(f"\0{path}" if abstract else str(path))
        yield Manager(address, channel)
