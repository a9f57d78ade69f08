"""Which file systems keep from us what happens in a directory."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

_MOUNTS = Path("/proc/self/mountinfo")

# Another host changes these, or another process behind the back of this mount.
# fmt: off
_REMOTE = frozenset((
    "9p", "acfs", "afs", "beegfs", "ceph", "cifs", "coda", "fuse", "gfs", "gfs2",
    "glusterfs", "gpfs", "lustre", "ncpfs", "nfs", "nfs4", "ocfs2", "orangefs", "panfs",
    "pvfs2", "smb2", "smb3", "smbfs", "vboxsf", "virtiofs", "vmhgfs", "webdav", "wekafs",
))
# fmt: on
_REMOTE_PREFIXES = ("fuse.", "macfuse", "osxfuse")  # fuseblk is a disk of this machine's

_OCTAL = re.compile(r"\\([0-7]{3})")


def silent_type(directory: Path) -> str | None:
    """Return the type of a directory's file system if it does not report every change; else None.

    None as well where the type cannot be known.
    """
    path = os.path.realpath(directory)
    try:
        found = type_of(path, _mounts())
    except OSError:
        return None
    return found if found is not None and is_silent(found) else None


def is_silent(kind: str) -> bool:
    """Tell whether a type of file system is changed by others without a report to us."""
    return kind.lower() in _REMOTE or kind.lower().startswith(_REMOTE_PREFIXES)


def type_of(path: str, mounts: Iterable[tuple[str, str]]) -> str | None:
    """Return the type of the file system of an absolute path, from mount points and their types.

    Of several mounts in one place the last one is seen.
    """
    best, kind = "", None
    for point, mounted in mounts:
        inside = path == point or path.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):
            best, kind = point, mounted
    return kind


def _mounts() -> list[tuple[str, str]]:
    """Return each mount point and its type, in the order in which they were mounted."""
    if not _MOUNTS.exists():
        import psutil  # not on Linux, where the daemon does without it

        return [(part.mountpoint, part.fstype) for part in psutil.disk_partitions(all=True)]
    text = _MOUNTS.read_text(encoding="utf-8", errors="surrogateescape")
    return [parse_mount(line) for line in text.splitlines() if " - " in line]


def parse_mount(line: str) -> tuple[str, str]:
    """Return mount point and type from a line of /proc/self/mountinfo, as in proc(5)."""
    before, _, after = line.partition(" - ")
    point = _OCTAL.sub(lambda digits: chr(int(digits[1], 8)), before.split(" ")[4])
    return point, after.split(" ", 1)[0]
