"""Logprep on loopback, with the configuration of docs/sinks.md."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.sinks.loopback import answers, free_port
from tests.sinks.page import recipe
from tests.support.environments import Environment
from tests.support.processes import poll

RECIPE = recipe("Logprep")
ADDRESS = "http://127.0.0.1:9000"
_RUN_IT, _READ_IT = RECIPE.blocks("sh")


@dataclass(frozen=True, slots=True)
class Logprep:
    """A running Logprep and the directory that it writes to."""

    url: str
    directory: Path

    def lines(self) -> list[bytes]:
        """Return what the page's command prints of what has been written."""
        read = ["bash", "-c", _READ_IT]
        done = subprocess.run(read, cwd=self.directory, check=True, capture_output=True)
        return done.stdout.splitlines()

    def wait_for(self, count: int) -> None:
        """Wait until so many lines have been written, duplicates among them; fail if it is more."""
        file = self.directory / "events.jsonl"
        poll(lambda: file.exists() and file.read_bytes().count(b"\n") >= count, "the events")
        assert file.read_bytes().count(b"\n") == count


@contextmanager
def logprep(environment: Environment, directory: Path) -> Iterator[Logprep]:
    """Run it for as long as the block lasts, on a port of its own."""
    port = free_port()
    configuration = re.sub(r"port: \d+", f"port: {port}", RECIPE.block("yaml"))
    (directory / "pipeline.yml").write_text(configuration, "utf-8")
    with (
        (directory / "log").open("wb") as log,
        subprocess.Popen(
            ["bash", "-c", f"exec {_RUN_IT}"],
            cwd=directory,
            env={**os.environ, "PATH": f"{environment.bin}:{os.environ['PATH']}"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        ) as process,
    ):
        started = Logprep(f"http://127.0.0.1:{port}", directory)
        try:
            poll(lambda: answers(started.url) or process.poll() is not None, "Logprep")
            assert process.poll() is None, (directory / "log").read_text("utf-8", "replace")
            yield started
        finally:
            os.killpg(process.pid, signal.SIGKILL)  # asked to stop, it takes 7 s
