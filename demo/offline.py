"""Become a command, once it is certain that this process cannot reach the endpoint.

Usage: offline.py [--no-network] HOST PORT COMMAND...

`--no-network` says that this process is in a network namespace of its own, where everything is
down: it brings up the loopback interface, which Ray needs, and proves that there is no route.
"""

from __future__ import annotations

import os
import socket
import struct
import sys

_TIMEOUT_SECONDS = 5.0

# TEST-NET-1 (RFC 5737): an address on the internet that belongs to nobody.
_ELSEWHERE = ("192.0.2.1", 443)

# linux/sockios.h, net/if.h
_SIOCSIFFLAGS = 0x8914
_IFF_UP = 0x1


def bring_up_loopback() -> None:
    """Do what `ip link set lo up` does, on machines without `ip`. Raises OSError."""
    import fcntl

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", _IFF_UP))


def failure_of(address: tuple[str, int]) -> str | None:
    """Try to connect; return why that failed, None if it did not."""
    try:
        with socket.create_connection(address, timeout=_TIMEOUT_SECONDS):
            return None
    except OSError as error:
        return error.strerror or str(error)


def prove(addresses: list[tuple[str, int]]) -> str:
    """Return in one line how connections fail. Raises SystemExit if one succeeds."""
    proofs = []
    for address in addresses:
        name = f"{address[0]}:{address[1]}"
        failure = failure_of(address)
        if failure is None:
            raise SystemExit(f"{name} can be reached from here")
        proofs.append(f"{name}: {failure}")
    return ", ".join(proofs)


def main(arguments: list[str]) -> None:
    """Prove that the endpoint cannot be reached, print the proof, become the command."""
    no_network = arguments[0] == "--no-network"
    host, port, *command = arguments[no_network:]
    addresses = [(host, int(port))]
    if no_network:
        bring_up_loopback()
        addresses.append(_ELSEWHERE)
    sys.stdout.write(prove(addresses) + "\n")
    sys.stdout.flush()
    os.execvp(command[0], command)  # noqa: S606 - the command is the demo's own


if __name__ == "__main__":
    main(sys.argv[1:])
