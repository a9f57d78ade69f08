"""Keep the directories bounded: old receipts and dead letters, and what crashes left behind."""

from __future__ import annotations

import logging
import os
import time
from contextlib import suppress
from datetime import UTC, datetime

from telemetry_spool import paths
from telemetry_spool.ledger import LossLedger, receipts_journal
from telemetry_spool.letters import dead_letter_journal
from telemetry_spool.paths import Directories

INTERVAL_SECONDS = 3600.0
"""Nothing here is urgent."""

# No writer takes this long between writing a segment and renaming it: it is dead.
_ABANDONED_SECONDS = 3600.0

_log = logging.getLogger(__name__)


def tidy(directories: Directories, losses: LossLedger) -> None:
    """Delete what is too old or too much; dead letters that go are counted as lost."""
    now = datetime.now(tz=UTC)
    try:
        for path in receipts_journal(directories).excess(now):
            path.unlink()
        for path in dead_letter_journal(directories).excess(now):
            with path.open("rb") as file:
                letters = sum(1 for _ in file)
            path.unlink()
            losses.lost(letters, "dead letters: too old or too many", now)
        _remove_leftovers(str(directories.spool))
    except OSError as error:
        _log.warning("cannot tidy up: %s", error)


def _remove_leftovers(spool: str) -> None:
    with os.scandir(spool) as entries:
        names = {entry.name for entry in entries}
    for name in names:
        path = os.path.join(spool, name)
        with suppress(OSError):  # gone by now, or a directory: no reason to keep the others
            if paths.is_temporary(name):
                if time.time() - os.lstat(path).st_mtime > _ABANDONED_SECONDS:
                    os.unlink(path)
            elif (segment := paths.acked_segment(name)) and segment not in names:
                os.unlink(path)
