"""The other benchmarks of this project, in the words of their own reports."""

from __future__ import annotations

import subprocess
import sys

from benchmarks.drain.sinks import REPOSITORY
from benchmarks.drain.tables import Text
from benchmarks.drain.turns import progress

_PATIENCE_SECONDS = 1800


def reported(title: str, module: str) -> list[Text]:
    """Return what `python -m benchmarks.MODULE` prints, or why it does not."""
    command = ["-m", f"benchmarks.{module}"]
    progress(f"python {' '.join(command)} ...")
    try:
        done = subprocess.run(  # noqa: S603 - a module of this project
            [sys.executable, *command],
            cwd=REPOSITORY,
            check=False,
            capture_output=True,
            text=True,
            timeout=_PATIENCE_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return [Text(title, f"It took longer than {_PATIENCE_SECONDS} s.")]
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["it said nothing"]
        return [Text(title, f"It ended with {done.returncode}: {said[-1]}")]
    return [Text(title, done.stdout.rstrip(), f"python {' '.join(command)}")]
