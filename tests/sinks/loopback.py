"""Where engines under test listen, and how tests speak to them."""

from __future__ import annotations

import socket

import requests

from tests.support.processes import DEADLINE_SECONDS


def free_port() -> int:
    """Return a port of this machine that nobody listens on; somebody else may take it next."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def direct() -> requests.Session:
    """Return a session that knows nothing of this machine's proxies."""
    session = requests.Session()
    session.trust_env = False
    return session


def answers(url: str) -> bool:
    """Tell whether somebody answers there, whatever it is."""
    with direct() as session:
        try:
            session.get(url, timeout=DEADLINE_SECONDS)
        except requests.ConnectionError:
            return False
    return True
