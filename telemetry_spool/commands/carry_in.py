"""Take in what was carried here: `import`."""

from __future__ import annotations

import gzip
import os
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from telemetry_spool.bundle import arriving, rules, settling
from telemetry_spool.bundle.manifest import BadBundle
from telemetry_spool.bundle.names import Places
from telemetry_spool.commands.carrying import DryRun, complaining, tell
from telemetry_spool.commands.console import Json, fail
from telemetry_spool.consent import ConsentReader
from telemetry_spool.spool import utc_now
from telemetry_spool.text import counted, plain
from telemetry_spool.writer_settings import writer_config


def import_(
    file: Annotated[Path, typer.Argument(help="A bundle, or receipts for one.", metavar="FILE")],
    dry_run: DryRun = False,
    as_json_: Json = False,
) -> None:
    """Take in a bundle, so that it is sent from here; or receipts for bundles from here.

    Examples: telemetry-spool import monday.tar.gz; telemetry-spool import monday.receipts.jsonl.gz
    """
    config = writer_config()
    places = Places(config.directories)
    with complaining(file), _opened(file) as content:
        if _begins_like_receipts(content):
            if dry_run:
                fail("--dry-run goes with a bundle", os.EX_USAGE)
            _tell_settled(settling.settle(places, content, now=utc_now), as_json_)
            return
        rules.check_import(ConsentReader(config.mode_file).now())
        rules.check_own(places)
        limit = config.max_spool_bytes
        if dry_run:
            done = arriving.check(places, content, max_bytes=limit)
        else:
            done = arriving.take_in(places, content, max_bytes=limit, now=utc_now)
    _tell_imported(done, as_json_, dry_run=dry_run)


@contextmanager
def _opened(file: Path) -> Iterator[BinaryIO]:
    """Open a regular file; a FIFO would be waited for, and the reader goes back to the start."""
    descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as content:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            fail(f"{plain(str(file))} is not a regular file", os.EX_NOINPUT)
        yield content


def _begins_like_receipts(content: BinaryIO) -> bool:
    """Tell by the first character: a bundle begins with a file's name."""
    try:
        with gzip.GzipFile(fileobj=content) as packed:
            return packed.read(1) == b"{"
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise BadBundle("it is neither a bundle nor receipts: no gzip file, or cut off") from None
    finally:
        content.seek(0)


def _tell_imported(done: arriving.Imported, as_json_: bool, *, dry_run: bool) -> None:
    manifest = done.manifest
    content = {
        "bundle": manifest.bundle,
        "host": manifest.host,
        "added": done.added,
        "events": manifest.events if done.added else 0,
        "local_events": manifest.local_events if done.added else 0,
        "dry_run": dry_run,
    }
    origin = f"Bundle {manifest.bundle} from {plain(manifest.host)}"
    if not done.added:
        tell(as_json_, content, f"{origin} has been imported before: nothing was added.")
        return
    verb = "would be added" if dry_run else "added to the spool"
    local = manifest.local_events and (
        f"With them {counted(manifest.local_events)} of mode local: they are sent from here."
    )
    tell(as_json_, content, f"{origin}: {counted(manifest.events)} {verb}.", local)


def _tell_settled(done: settling.Settled, as_json_: bool) -> None:
    content = {
        "accepted": done.accepted,
        "rejected": done.rejected,
        "outstanding": done.outstanding,
        "unknown": done.unknown,
    }
    left = [
        f"Outstanding of bundle {bundle}: {counted(events)}."
        for bundle, events in done.outstanding.items()
        if events
    ]
    unknown = done.unknown and (
        f"About bundles that are not outstanding here: {done.unknown:,} receipts."
    )
    first = f"Accepted: {counted(done.accepted)}. Rejected: {done.rejected:,}."
    tell(as_json_, content, first, *left, unknown)
