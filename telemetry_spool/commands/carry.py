"""Carry events out of here: `export`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from telemetry_spool.bundle import answering, leaving, outstanding, rules
from telemetry_spool.bundle.copies import Copy, copy
from telemetry_spool.bundle.files import publishing
from telemetry_spool.bundle.leaving import Exported
from telemetry_spool.bundle.names import BUNDLE_SUFFIX, RECEIPTS_SUFFIX, Places
from telemetry_spool.commands.carrying import DryRun, complaining, tell
from telemetry_spool.commands.console import Json, complain, fail
from telemetry_spool.consent import ConsentReader
from telemetry_spool.spool import utc_now
from telemetry_spool.text import counted, plain
from telemetry_spool.writer_settings import WriterConfig, writer_config

STDOUT = Path("-")


def export(
    file: Annotated[
        Path | None,
        typer.Argument(help="FILE.tar.gz for a bundle, FILE.jsonl or FILE.csv for a copy, or -."),
    ] = None,
    *,
    format_: Annotated[
        Copy | None, typer.Option("--format", help="A copy for reading; the spool stays as it is.")
    ] = None,
    include_local: Annotated[
        bool, typer.Option("--include-local", help="Carry what was recorded in mode local, too.")
    ] = False,
    dry_run: DryRun = False,
    receipts: Annotated[
        Path | None,
        typer.Option(help=f"Write FILE{RECEIPTS_SUFFIX}: what became of imported bundles."),
    ] = None,
    bundle: Annotated[
        str | None,
        typer.Option(help="Only this bundle's receipts; or write this outstanding bundle again."),
    ] = None,
    list_: Annotated[
        bool, typer.Option("--list", help="List the bundles that are outstanding.")
    ] = False,
    take_back: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Put the events of a lost bundle back into the spool."),
    ] = None,
    as_json_: Json = False,
) -> None:
    """Carry what is pending out of the spool in a file, or copy it for reading.

    A bundle (FILE.tar.gz) takes its events out of the spool: they are sent where it is imported.

    Examples: telemetry-spool export /media/stick/monday.tar.gz; telemetry-spool export --list;
    telemetry-spool export --format csv - | head
    """
    asked = [name for name, given in _asked(file, format_, receipts, take_back, list_) if given]
    if len(asked) != 1:
        fail(
            "say one of: FILE.tar.gz, --format jsonl|csv FILE, --receipts FILE, --list, "
            f"--take-back ID{' (not ' + ' and '.join(asked) + ')' if asked else ''}",
            os.EX_USAGE,
        )
    _refuse_idle_options(asked[0], bundle=bundle, include_local=include_local, dry_run=dry_run)
    config = writer_config()
    places = Places(config.directories)
    with complaining():
        if receipts:
            _export_receipts(places, receipts, bundle or "", as_json_)
        elif list_:
            _list(places, as_json_)
        elif take_back:
            _take_back(places, config, take_back, as_json_)
        elif asked == ["a copy"]:
            _copy(config, format_ or Copy((file or STDOUT).suffix[1:]), file or STDOUT, as_json_)
        elif file:
            consent = ConsentReader(config.mode_file).now()
            rules.check_export(consent, include_local=include_local)
            rules.check_own(places)
            if dry_run:
                done = leaving.preview(places, include_local=include_local)
            elif bundle:
                done = leaving.export_again(places, file, bundle)
            else:
                done = leaving.export(places, file, include_local=include_local, now=utc_now)
            _tell_export(places, done, as_json_, dry_run=dry_run)


def _asked(
    file: Path | None,
    format_: Copy | None,
    receipts: Path | None,
    take_back: str | None,
    list_: bool,
) -> Iterator[tuple[str, bool]]:
    """Yield what was asked for; a file's suffix tells what it is to be."""
    suffix = file.suffix if file else ""
    is_copy = format_ is not None or suffix in (".jsonl", ".csv")
    yield "a bundle", file is not None and not is_copy and _is_bundle(file)
    yield "a copy", is_copy
    yield "--receipts", receipts is not None and _is_receipts(receipts)
    yield "--take-back", take_back is not None
    yield "--list", list_


def _is_bundle(file: Path) -> bool:
    if not file.name.endswith((BUNDLE_SUFFIX, ".tgz")):
        fail(
            f"{plain(str(file))}: its suffix does not say what to write: {BUNDLE_SUFFIX} for a "
            "bundle, or --format jsonl or csv for a copy",
            os.EX_USAGE,
        )
    return True


def _is_receipts(file: Path) -> bool:
    if not file.name.endswith(RECEIPTS_SUFFIX):
        fail(f"{plain(str(file))}: the name of receipts ends in {RECEIPTS_SUFFIX}", os.EX_USAGE)
    return True


def _refuse_idle_options(
    asked: str, *, bundle: str | None, include_local: bool, dry_run: bool
) -> None:
    """Refuse an option that would do nothing: it was meant to do something."""
    if bundle is not None and asked not in ("a bundle", "--receipts"):
        fail("--bundle goes with FILE.tar.gz or --receipts", os.EX_USAGE)
    if (include_local or dry_run) and asked != "a bundle":
        fail("--include-local and --dry-run go with FILE.tar.gz", os.EX_USAGE)
    if bundle is not None and dry_run:
        fail("--bundle writes a bundle again: there is nothing to try with --dry-run", os.EX_USAGE)


def _tell_export(places: Places, done: Exported, as_json_: bool, *, dry_run: bool) -> None:
    content = {
        "bundle": done.bundle,
        "file": str(done.file) if done.file else None,
        "events": done.events,
        "local_events": done.local_events,
        "bytes": done.bytes,
        "segments": done.segments,
        "left": done.left,
        "resumed": done.resumed,
        "dry_run": dry_run,
    }
    left = done.left and (
        f"Left in the spool because an uploader or a writer has them: {done.left} segments."
    )
    local = done.local_events and f"With them {counted(done.local_events)} of mode local."
    resumed = done.resumed and "An export that had been interrupted is complete with this."
    if done.file:
        what = f"Bundle {done.bundle}: {counted(done.events)} in {plain(str(done.file))}."
        then = (
            f"Until receipts come back they are kept in {places.exported / str(done.bundle)}: "
            "telemetry-spool export --list"
        )
        tell(as_json_, content, what, local, resumed, left, then)
    elif dry_run and done.events:
        what = f"A bundle would have {counted(done.events)} ({done.bytes:,} bytes)."
        tell(as_json_, content, what, local, left)
    else:
        tell(as_json_, content, "Nothing is pending: no bundle was written.", left)


def _export_receipts(places: Places, file: Path, bundle: str, as_json_: bool) -> None:
    done = answering.answer(places, file, bundle, now=utc_now)
    content = {
        "file": str(file),
        "bundles": done.bundles,
        "accepted": done.accepted,
        "rejected": done.rejected,
        "waiting": done.waiting,
    }
    waiting = done.waiting and (
        f"Not known to be sent yet: {counted(done.waiting)}. Write receipts again later."
    )
    tell(
        as_json_,
        content,
        f"{plain(str(file))}: accepted {counted(done.accepted)}, rejected {done.rejected:,}.",
        waiting,
    )


def _list(places: Places, as_json_: bool) -> None:
    for found in outstanding.outstanding(places):
        content = {
            "bundle": found.bundle,
            "created_at": found.created_at,
            "file": found.file,
            "exported": found.exported,
            "outstanding": found.outstanding,
            "bytes": found.bytes,
        }
        where = f"in {plain(found.file)}" if found.file else "interrupted: export FILE.tar.gz"
        amount = f"{found.outstanding:,} of {counted(found.exported)}"
        tell(as_json_, content, f"{found.bundle}  {amount}  {where}")


def _take_back(places: Places, config: WriterConfig, bundle: str, as_json_: bool) -> None:
    rules.check_own(places)
    done = outstanding.take_back(places, bundle, max_bytes=config.max_spool_bytes, now=utc_now)
    content = {"bundle": done.bundle, "events": done.events, "may_arrive_twice": done.written}
    twice = done.written and (
        "If the bundle was imported after all, they arrive twice, under the same Idempotency-Key."
    )
    tell(as_json_, content, f"In the spool again: {counted(done.events)}.", twice)


def _copy(config: WriterConfig, kind: Copy, file: Path, as_json_: bool) -> None:
    spool = config.directories.spool
    if file == STDOUT:
        if as_json_:
            fail("--json and a copy on stdout would be mixed: name a file", os.EX_USAGE)
        copied = copy(spool, kind, sys.stdout.buffer)
        sys.stdout.buffer.flush()
    else:
        with publishing(file, file.with_name(f".{file.name}.{os.getpid()}.tmp")) as target:
            copied = copy(spool, kind, target)
        content = {"file": str(file), "events": copied.events, "left_out": copied.left_out}
        tell(as_json_, content, f"{plain(str(file))}: {counted(copied.events)}.")
    for problem in copied.problems:
        complain(problem)
    if copied.left_out:
        complain(f"left out because they are no events: {copied.left_out:,} lines")
