# mypy: disallow-untyped-decorators=False
"""The server sends one message to each client, which emits an event and answers."""

from __future__ import annotations

import time

from flwr.app import (  # type: ignore[import-not-found,unused-ignore]
    Context,
    Message,
    RecordDict,
)
from flwr.clientapp import ClientApp  # type: ignore[import-not-found,unused-ignore]
from flwr.serverapp import Grid, ServerApp  # type: ignore[import-not-found,unused-ignore]

client = ClientApp()
server = ServerApp()


@client.train()
def train(message: Message, _: Context) -> Message:
    """Answer, after an event from inside the Ray worker."""
    from flwr.supercore import telemetry  # type: ignore[import-not-found,unused-ignore]

    telemetry.event(telemetry.EventType.PING, {"from": "Ray worker"})
    return Message(RecordDict(), reply_to=message)


@server.main()
def main(grid: Grid, _: Context) -> None:
    """Send one message to every client and wait for the answers."""
    while not (nodes := list(grid.get_node_ids())):
        time.sleep(0.01)
    messages = [Message(RecordDict(), dst_node_id=node, message_type="train") for node in nodes]
    list(grid.send_and_receive(messages, timeout=60))
