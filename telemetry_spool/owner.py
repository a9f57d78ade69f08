"""Find out whose machine this is: the names and addresses that an audit looks for."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from telemetry_spool.personal import Owner

# Where Linux shows its network devices. Elsewhere a MAC address is known by its form alone.
_DEVICES = Path("/sys/class/net")

# "Alice" alone may be the name of anything, "Alice Liddell" is not.
_WORDS_OF_A_REAL_NAME = 2


def owner_of(uid: int) -> Owner:
    """Return what gives away a user and this machine. What cannot be found out is left out."""
    users, homes = set[str](), set[str]()
    if uid == os.getuid():
        users |= {os.environ.get("USER", ""), os.environ.get("LOGNAME", "")}
        homes.add(os.environ.get("HOME", ""))
    with suppress(KeyError):
        account = pwd.getpwuid(uid)
        real_name = account.pw_gecos.split(",")[0].strip()
        homes.add(account.pw_dir)
        users.add(account.pw_name)
        if len(real_name.split()) >= _WORDS_OF_A_REAL_NAME:
            users.add(real_name)
    node = os.uname().nodename
    return Owner(
        user_names=frozenset(users - {""}),
        homes=frozenset(home.rstrip("/") for home in homes) - {""},
        host_names=frozenset({node, node.split(".")[0]} - {""}),
        macs=frozenset(_macs()),
    )


def _macs() -> Iterator[str]:
    for file in _DEVICES.glob("*/address"):
        try:
            mac = file.read_text(encoding="ascii").strip().replace(":", "")
        except (OSError, UnicodeDecodeError):
            continue  # a device that has gone, or has an address of another kind
        if len(mac) == len("000000000000") and mac.strip("0f"):
            yield mac
