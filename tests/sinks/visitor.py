"""Somebody who does what docs/sinks.md says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.conftest import Place
from tests.sinks.page import Recipe
from tests.support.processes import DEADLINE_SECONDS, Ended, environment

ONCE = "telemetry-uploader once"


@dataclass(frozen=True, slots=True)
class Visitor:
    """Follows a recipe on a machine where its engine is not at `told`, but at `address`."""

    place: Place
    recipe: Recipe
    told: str
    address: str

    def type(self, block: str) -> Ended:
        """Run a shell block of the page to its end."""
        beside_python = str(Path(sys.executable).parent)
        path = f"{beside_python}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", block.replace(self.told, self.address)],
            env=environment(self.place.environ | {"PATH": path}),
            check=False,
            capture_output=True,
            text=True,
            timeout=DEADLINE_SECONDS,
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    def upload(self, *lines: bytes, **settings: str) -> Ended:
        """Record events and send them, with the page's settings and these variables."""
        for line in lines:
            self.place.open().append(line)
        file = Path(os.environ["XDG_CONFIG_HOME"]) / "flwr-telemetry" / "config.toml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(self.recipe.block("toml").replace(self.told, self.address), "utf-8")
        variables = [f"FLWR_TELEMETRY_{name.upper()}='{settings[name]}'" for name in settings]
        return self.type(" ".join([*variables, ONCE]))

    @property
    def receipts(self) -> Counter[str]:
        """How many receipts there are for each event's id."""
        return Counter(record["id"] for record in self.place.ledger() if "id" in record)

    @property
    def dead_letters(self) -> list[dict[str, Any]]:
        """What was set aside."""
        files = (self.place.root / "rejected").glob("*.jsonl")
        return [json.loads(line) for file in files for line in file.read_bytes().splitlines()]

    @property
    def settings(self) -> dict[str, Any]:
        """The uploader's settings of the page, for this engine."""
        settings = self.recipe.settings
        return settings | {"endpoint": settings["endpoint"].replace(self.told, self.address)}
