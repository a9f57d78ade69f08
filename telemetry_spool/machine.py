"""What Flower reports of a machine, found without starting a process.

`platform.platform()` runs `uname -p` and `platform.architecture()` runs `file`; a process that only
appends a line has no business starting others. The values are the same.
"""

from __future__ import annotations

import os
import platform
import struct
import sys

# What `uname -p` prints on macOS; elsewhere it is empty, "unknown" or the machine again.
_MACOS_PROCESSORS = {"arm64": "arm", "x86_64": "i386"}


def facts() -> dict[str, object]:
    """Return the `platform` part of an event's context, as Flower fills it."""
    names = os.uname()
    return {
        "system": names.sysname,
        "release": names.release,
        "platform": _platform(names),
        "python_implementation": platform.python_implementation(),
        "python_version": platform.python_version(),
        "machine": names.machine,
        "architecture": _architecture(),
        "version": names.version,
    }


def _platform(names: os.uname_result) -> str:
    if names.sysname == "Darwin":
        release = platform.mac_ver()[0]
        processor = _MACOS_PROCESSORS.get(names.machine, "")
        parts = ("macOS", release, names.machine, processor, _architecture()[0])
    else:
        parts = (names.sysname, names.release, names.machine, "with", "".join(platform.libc_ver()))
    return "-".join(part for part in parts if part).replace(" ", "_")


def _architecture() -> tuple[str, str]:
    bits = f"{struct.calcsize('P') * 8}bit"
    try:
        with open(sys.executable, "rb") as executable:
            return bits, "ELF" if executable.read(4) == b"\x7fELF" else ""
    except OSError:
        return bits, ""
