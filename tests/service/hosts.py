"""Hosts of a cluster that share a home, as processes with a host name of their own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping

from tests.support.processes import DEADLINE_SECONDS, environment

NAMED = ["unshare", "--uts", "sh", "-c", 'hostname "$0" && exec "$@"']
UNWATCHED = ["unshare", "--user", "--map-root-user", "sh", "-c", 'echo 0 >"$0" && exec "$@"']
"""Ahead of a file in /proc/sys/user with a limit of inotify's, and a command."""


def why_not(prefix: list[str]) -> str:
    """Return why a command cannot be run with this before it; empty if it can."""
    try:
        done = subprocess.run([*prefix, "true"], check=False, capture_output=True)
    except FileNotFoundError:
        return "there is no unshare"
    return "" if done.returncode == 0 else f"unshare may not: {done.stderr.decode().strip()}"


def run_on(host: str, code: str, *arguments: str, environ: Mapping[str, str]) -> None:
    """Run Python code on a host, to its end."""
    subprocess.run(
        [*NAMED, host, sys.executable, "-c", code, *arguments],
        env=environment(environ),
        check=True,
        timeout=DEADLINE_SECONDS,
    )
