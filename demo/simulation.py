# mypy: disallow-untyped-decorators=False
# Flower and numpy are in the demo's environment, not in the one that checks types.
"""An ordinary Flower simulation: two clients fit a line, the server averages, one round.

Nothing here knows of the spool: this is what a script of a Flower user looks like.
"""

from __future__ import annotations

from typing import Any

import numpy as np  # type: ignore[import-not-found,unused-ignore]
from flwr.app import (  # type: ignore[import-not-found,unused-ignore]
    ArrayRecord,
    Context,
    Message,
    MetricRecord,
    RecordDict,
)
from flwr.clientapp import ClientApp  # type: ignore[import-not-found,unused-ignore]
from flwr.serverapp import Grid, ServerApp  # type: ignore[import-not-found,unused-ignore]
from flwr.serverapp.strategy import FedAvg  # type: ignore[import-not-found,unused-ignore]
from flwr.simulation import run_simulation  # type: ignore[import-not-found,unused-ignore]

SUPERNODES = 2
EXAMPLES = 100
SLOPE, OFFSET = 3.0, 1.0

client = ClientApp()
server = ServerApp()


@client.train()
def train(message: Message, context: Context) -> Message:
    """Fit slope and offset to noisy points of this client's own."""
    noise = np.random.default_rng(int(context.node_config["partition-id"]))
    x = noise.uniform(-1, 1, EXAMPLES)
    y = SLOPE * x + OFFSET + noise.normal(0, 0.1, EXAMPLES)
    weights = np.polyfit(x, y, deg=1)
    error = float(np.mean((np.polyval(weights, x) - y) ** 2))
    metrics = MetricRecord({"num-examples": EXAMPLES, "error": error})
    return Message(
        RecordDict({"arrays": ArrayRecord([weights]), "metrics": metrics}), reply_to=message
    )


@server.main()
def main(grid: Grid, _: Context) -> None:
    """Run one round of federated averaging."""
    strategy = FedAvg(
        fraction_evaluate=0.0, min_train_nodes=SUPERNODES, min_available_nodes=SUPERNODES
    )
    result = strategy.start(grid=grid, initial_arrays=ArrayRecord([np.zeros(2)]), num_rounds=1)
    slope, offset = result.arrays.to_numpy_ndarrays()[0]
    print(f"fitted {slope:.2f} x + {offset:.2f}")  # noqa: T201 - as a user's script does


if __name__ == "__main__":
    backend: dict[str, Any] = {
        "client_resources": {"num_cpus": 1, "num_gpus": 0.0},
        "init_args": {
            "address": "local",
            "num_cpus": 1,
            "_node_ip_address": "127.0.0.1",
            "object_store_memory": 80 * 2**20,
        },
    }
    run_simulation(server, client, num_supernodes=SUPERNODES, backend_config=backend)
