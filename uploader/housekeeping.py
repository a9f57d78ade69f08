"""Keep the directories bounded: old receipts and dead letters, and what crashes left behind."""

from __future__ import annotations

import logging
import os
import time
from contextlib import suppress
from datetime import UTC, datetime

from telemetry_spool import paths
from telemetry_spool.dropbox import is_shared
from telemetry_spool.ledger import LossLedger, receipts_journal
from telemetry_spool.letters import dead_letter_journal
from telemetry_spool.paths import Directories
from uploader.trimming import trim_letters, trim_receipts

INTERVAL_SECONDS = 3600.0
"""Nothing here is urgent."""

# No writer takes this long between writing a segment and renaming it: it is dead.
_ABANDONED_SECONDS = 3600.0

_log = logging.getLogger(__name__)


def tidy(directories: Directories, losses: LossLedger) -> None:
    """Delete what is too old or too much; dead letters that go are counted as lost."""
    now = datetime.now(tz=UTC)
    try:
        receipts, letters = receipts_journal(directories), dead_letter_journal(directories)
        trim_receipts(receipts, now)
        trim_letters(letters, losses, now)
        for owner in receipts.owners():
            trim_receipts(receipts.of(owner), now)
        for owner in letters.owners():
            trim_letters(letters.of(owner), LossLedger(directories, owner), now)
        _remove_leftovers(directories)
    except OSError as error:
        _log.warning("cannot tidy up: %s", error)


def _remove_leftovers(directories: Directories) -> None:
    """Remove what was never finished, and progress in segments that are gone."""
    spool = str(directories.spool)
    progress = str(directories.progress) if is_shared(spool) else spool
    with os.scandir(spool) as entries:
        for entry in entries:
            if paths.is_temporary(entry.name):
                _remove_abandoned(entry.path)
    with suppress(FileNotFoundError), os.scandir(progress) as entries:
        for entry in entries:
            segment = paths.acked_segment(entry.name)
            if segment and not os.path.lexists(os.path.join(spool, segment)):
                with suppress(OSError):  # gone by now, or a directory
                    os.unlink(entry.path)


def _remove_abandoned(path: str) -> None:
    with suppress(OSError):  # gone by now, or a directory: no reason to keep the others
        if time.time() - os.lstat(path).st_mtime > _ABANDONED_SECONDS:
            os.unlink(path)
