"""Release events that the user has looked at and wants to be sent, in mode `local` too.

They move into a sealed segment of their own whose name says so. It is there before they go from
where they were: a crash in between leaves an event twice, under the same id.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from telemetry_spool.paths import Directories, Kind, kind_of
from telemetry_spool.placing import place
from telemetry_spool.removal import remove


def release_events(directories: Directories, bodies: Mapping[str, bytes]) -> list[str]:
    """Release the events with these bytes, by id.

    Returns one line for each file that has an event still, too. Raises OSError; nothing
    is released then.
    """
    spool = str(directories.spool)
    place(spool, bodies.values(), released=True)
    removal = remove(
        spool,
        lambda entry: entry.id in bodies and kind_of(os.path.basename(entry.file)) != Kind.RELEASED,
    )
    return removal.failures
