"""The releases of Flower that are tested, and what differs between them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Version:
    """A release: the name of its environment, and its telemetry module."""

    environment: str
    module: str


FLWR_1_41 = Version("flwr-1.41", "flwr.supercore.telemetry")
FLWR_1_20 = Version("flwr-1.20", "flwr.common.telemetry")
FLWR_1_5 = Version("flwr-1.5", "flwr.common.telemetry")
FLWR_DATASETS = Version("flwr-datasets", "flwr_datasets.common.telemetry")

FRAMEWORK = (FLWR_1_5, FLWR_1_20, FLWR_1_41)
EVERY = (*FRAMEWORK, FLWR_DATASETS)


def name_of(version: Version) -> str:
    """Return how a test's parameter is shown."""
    return version.environment
