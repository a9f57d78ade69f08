"""On which terms a segment is read: whose it must be, and where its progress is kept."""

from __future__ import annotations

import os
import stat
import sys
from dataclasses import dataclass

from telemetry_spool.paths import ack_name
from telemetry_spool.quota import ack_path


@dataclass(frozen=True, slots=True)
class Terms:
    """On which terms a segment is read. The default is for a private spool, which is beyond doubt.

    In a shared one a segment must belong to the user `owner` and have at most `max_bytes`, and its
    progress is kept in the directory `progress`. A file that has another link may be anybody's,
    unless it has the group `group`, which only files have that were made in the drop box.
    """

    owner: int | None = None
    progress: str | None = None
    max_bytes: int = sys.maxsize
    group: int | None = None

    def may_be_emptied(self, status: os.stat_result) -> bool:
        """Tell whether an open file is its owner's, and nowhere else something else."""
        return (
            stat.S_ISREG(status.st_mode)
            and status.st_uid == self.owner
            and (status.st_nlink <= 1 or is_native(status.st_uid, status.st_gid, self.group))
        )

    def ack_path(self, path: str) -> str:
        """Return the path of the progress file of a segment."""
        if self.progress is None:
            return ack_path(path)
        return os.path.join(self.progress, ack_name(os.path.basename(path)))


PRIVATE = Terms()


def is_native(owner: int, group: int, box: int | None) -> bool:
    """Tell whether a file with several links was made in the drop box with the group `box`.

    No user can give the service's group to a file elsewhere; the service itself can.
    """
    return group == box and owner != os.geteuid()
