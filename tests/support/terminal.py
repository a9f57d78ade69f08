"""Our command on a terminal of its own, with somebody who answers."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Mapping

from tests.support.processes import DEADLINE_SECONDS, SPOOL, Ended, environment


def on_terminal(environ: Mapping[str, str], *arguments: str, answer: str) -> Ended:
    """Run `telemetry-spool` on a terminal of its own; type an answer when it asks [y/N]."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", SPOOL, *arguments],
        env=environment(environ),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        said = b""
        while b"[y/N]" not in said:
            said += os.read(ours, 1000)
        os.write(ours, answer.encode())
        try:
            while piece := os.read(ours, 1000):
                said += piece
        except OSError:
            pass  # the other end is closed
        code = process.wait(DEADLINE_SECONDS)
    os.close(ours)
    return Ended(code, said.decode(), "")
