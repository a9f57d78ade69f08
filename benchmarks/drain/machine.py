"""On what it was measured: enough to compare, nothing that says whose machine it is."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from benchmarks.drain.peers import Peers

_LIBRARIES = ("requests", "urllib3", "pycurl", "isal", "zstandard")
_VERSION = re.compile(r"\d+\.\d+(\.\d+)*")
_PATIENCE_SECONDS = 20


def machine(peers: Peers) -> Iterator[str]:
    """Yield what the machine and the programs on it are, a line each."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    yield f"{_processor()}, {os.cpu_count()} cores, {memory:.0f} GiB"
    yield f"{platform.system()} {re.split('[-+]', platform.release())[0]}, {_distribution()}"
    yield f"Python {platform.python_version()}{_builder()}; {', '.join(_libraries())}"
    for program, argv in peers.installed().items():
        yield f"{program.title} {_version([*argv, *program.version])}"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _distribution() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        return "no os-release"


def _builder() -> str:
    """Say whose Python it is: a distribution's is built with optimizations, and others may not."""
    return " of the distribution" if sys.base_prefix == "/usr" else ", not the distribution's"


def _libraries() -> Iterator[str]:
    for name in _LIBRARIES:
        try:
            yield f"{name} {metadata.version(name)}"
        except metadata.PackageNotFoundError:
            yield f"no {name}"


def _version(argv: list[str]) -> str:
    done = subprocess.run(  # noqa: S603 - a peer
        argv, check=False, capture_output=True, text=True, timeout=_PATIENCE_SECONDS
    )
    # syslog-ng tells the version of its configuration language first.
    found = [match[0] for match in _VERSION.finditer(done.stdout + done.stderr)]
    return found[0] if found else "of unknown version"
