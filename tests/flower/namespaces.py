"""Commands in networks of their own: one with nothing but loopback, one that swallows packets."""

from __future__ import annotations

import shutil
import socket
import subprocess
from functools import cache
from pathlib import Path

from tests.flower.home import PROGRAMS

TELEMETRY_ADDRESS = "192.0.2.1"
"""What the names of Flower's endpoints resolve to in the black hole (TEST-NET-1, RFC 5737)."""
NAME_SERVER_ADDRESS = "192.0.2.53"
"""The name server of the black hole, which never answers."""

_HOSTS = f"""\
127.0.0.1 localhost {socket.gethostname()}
{TELEMETRY_ADDRESS} telemetry.flower.ai telemetry.flower.dev
"""

_ISOLATED = ("unshare", "--net", "--mount")
_LOOPBACK = ("sh", "-c", 'ip link set lo up && exec "$@"', "sh")


@cache
def why_no_namespaces() -> str | None:
    """Say why this machine cannot make the namespaces; None if it can."""
    for tool in ("unshare", "ip", "mount"):
        if shutil.which(tool) is None:
            return f"{tool} is not installed"
    pair = ("ip", "link", "add", "hole", "type", "veth", "peer", "name", "nowhere")
    done = subprocess.run([*_ISOLATED, *pair], check=False, capture_output=True, text=True)
    return None if done.returncode == 0 else f"namespaces are not permitted: {done.stderr.strip()}"


def offline() -> tuple[str, ...]:
    """Return what to put before a command so that it has loopback only; nothing where it cannot."""
    return () if why_no_namespaces() else ("unshare", "--net", *_LOOPBACK)


def blackhole(directory: Path) -> tuple[str, ...]:
    """Return what to put before a command so that its packets to telemetry endpoints vanish."""
    directory.mkdir()
    (directory / "hosts").write_text(_HOSTS, "utf-8")
    (directory / "resolv.conf").write_text(f"nameserver {NAME_SERVER_ADDRESS}\n", "utf-8")
    return (*_ISOLATED, "sh", str(PROGRAMS / "blackhole.sh"), str(directory))
