# mypy: disallow-untyped-decorators=False
"""A real simulation: the server sends one message to one client in a Ray worker and back.

Usage: simulate.py [URL]

With a URL, Flower's own transport is pointed there. Without, the client emits an event too.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from functools import wraps
from typing import Any

from flwr.app import (  # type: ignore[import-not-found,unused-ignore]
    Context,
    Message,
    RecordDict,
)
from flwr.clientapp import ClientApp  # type: ignore[import-not-found,unused-ignore]
from flwr.serverapp import Grid, ServerApp  # type: ignore[import-not-found,unused-ignore]
from flwr.simulation import run_simulation  # type: ignore[import-not-found,unused-ignore]
from flwr.supercore import telemetry  # type: ignore[import-not-found,unused-ignore]

URL = sys.argv[1] if len(sys.argv) > 1 else None

client = ClientApp()
server = ServerApp()


def marked(event: Callable[..., Any]) -> Callable[..., Any]:
    """Let a trace of system calls show where `event()` begins and ends."""

    @wraps(event)
    def with_marks(*arguments: Any, **named: Any) -> Any:
        os.access("/flower-event-begins", os.F_OK)
        future = event(*arguments, **named)
        os.access("/flower-event-ends", os.F_OK)
        return future

    return with_marks


@client.train()
def train(message: Message, _: Context) -> Message:
    """Answer, after an event from inside the Ray worker."""
    from flwr.supercore import telemetry

    if URL is None:
        marked(telemetry.event)(telemetry.EventType.PING, {"from": "Ray worker"})
    return Message(RecordDict(), reply_to=message)


@server.main()
def main(grid: Grid, _: Context) -> None:
    """Send one message to every client and wait for the answers."""
    while not (nodes := list(grid.get_node_ids())):
        time.sleep(0.01)
    messages = [Message(RecordDict(), dst_node_id=node, message_type="train") for node in nodes]
    answers = list(grid.send_and_receive(messages, timeout=60))
    if len(answers) != len(nodes):
        raise SystemExit("a client did not answer")


if __name__ == "__main__":
    if URL is not None:
        telemetry.TELEMETRY_EVENTS_URL = URL
    module = sys.modules["flwr.simulation.run_simulation"]
    vars(module)["event"] = marked(vars(module)["event"])
    run_simulation(
        server,
        client,
        num_supernodes=1,
        backend_config={
            "client_resources": {"num_cpus": 1, "num_gpus": 0.0},
            "init_args": {
                "address": "local",
                "num_cpus": 1,
                "include_dashboard": False,
                "_node_ip_address": "127.0.0.1",
                "object_store_memory": 80 * 2**20,
            },
        },
    )
