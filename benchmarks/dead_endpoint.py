"""How long a script hangs whose endpoint is dead: with this package, switched off, Flower alone.

    python -m benchmarks.dead_endpoint

Each run emits two events and ends, in a network namespace of its own in which every packet to the
endpoint vanishes. Medians of 7 runs in turn, but for Flower alone, whose releases 1.5 and 1.20 hang
for two minutes: one run. Needs root and Linux.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from tests.flower.home import Home
from tests.flower.namespaces import blackhole, why_no_namespaces
from tests.flower.versions import FRAMEWORK, Version
from tests.support.environments import environment

# Flower's older releases wait for two minutes.
_PATIENCE_SECONDS = 300.0
_NO_PROXIES = {"https_proxy": "", "http_proxy": ""}
_ROUNDS = 7
_SPOOLED = {"FLWR_TELEMETRY_SPOOL": "1"}
_DISABLED = {"FLWR_TELEMETRY_ENABLED": "0"}
_ALONE = {"FLWR_TELEMETRY_SPOOL": "0"}


def seconds_of(version: Version, variables: dict[str, str]) -> float:
    """Run the script once in a new home; return how long it took, in seconds."""
    with tempfile.TemporaryDirectory() as directory:
        home = Home(Path(directory), environment(version.environment))
        hole = blackhole(Path(directory) / "network")
        begun = time.monotonic()
        running = home.start_program(
            "emit.py", version.module, "2", prefix=hole, variables=variables | _NO_PROXIES
        )
        running.process.wait(_PATIENCE_SECONDS)
        taken = time.monotonic() - begun
        home.end()
        return taken


def main() -> None:
    """Print a row a release: seconds in the three ways."""
    reason = why_no_namespaces()
    if reason:
        sys.exit(reason)
    titles = ("with this package", "switched off", "Flower alone")
    sys.stdout.write(f"{'':<12}{''.join(f'{title:>20}' for title in titles)}\n")
    for version in FRAMEWORK:
        seconds_of(version, _SPOOLED)  # the first run of an environment compiles its modules
        pairs = [
            (seconds_of(version, _SPOOLED), seconds_of(version, _DISABLED)) for _ in range(_ROUNDS)
        ]
        spooled, disabled = (median(column) for column in zip(*pairs, strict=True))
        row = (spooled, disabled, seconds_of(version, _ALONE))
        cells = "".join(f"{taken:>20.2f}" for taken in row)
        sys.stdout.write(f"{version.environment:<12}{cells}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
