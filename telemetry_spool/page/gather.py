"""Gather what the page shows: spool and journals in one pass each, consent, uploader."""

from __future__ import annotations

import os
from datetime import datetime

from telemetry_spool import __version__, heartbeat, paths
from telemetry_spool.consent import Consent, ConsentReader, by_environment
from telemetry_spool.overview import advice, overview
from telemetry_spool.page.journal_scan import JournalScan, scan_journals
from telemetry_spool.page.model import Entry, Page, State, Uploader
from telemetry_spool.page.spool_scan import SpoolScan, scan_spool
from telemetry_spool.page.timeline import Timeline, parsed, timeline
from telemetry_spool.schema import fields, pages
from telemetry_spool.writer_settings import WriterConfig


def gather(config: WriterConfig, now: datetime, refresh: int | None = None) -> Page:
    """Read everything that the page shows; what cannot be read becomes a problem on it.

    `now` is in UTC, `refresh` in seconds: when to look at the file again, if it is kept up to date.
    """
    spool = scan_spool(config.directories.spool)
    journals = scan_journals(config.directories)
    consent = ConsentReader(config.mode_file).now()
    last = heartbeat.read(config.directories.heard_of)
    return Page(
        now=now,
        host=os.uname().nodename,
        version=__version__,
        directories=config.directories,
        consent=consent,
        forced=_forced(consent),
        advice=_advice(config),
        problems=(*config.problems, *spool.problems, *journals.problems),
        uploader=Uploader(last, heartbeat.is_alive(last)) if last else None,
        totals={
            State.PENDING: spool.counts[State.PENDING].total(),
            State.LOCAL: spool.counts[State.LOCAL].total(),
            State.REJECTED: journals.rejected.total(),
            State.SENT: journals.sent.total(),
        },
        losses=tuple(sorted(journals.losses.values(), key=lambda loss: loss.last, reverse=True)),
        entries=_newest_first([*spool.entries(), *journals.entries()]),
        next_up=tuple(spool.next_up),
        timeline=_timeline(spool, journals, now),
        fields=fields(),
        seen=spool.seen(),
        pages=tuple(pages()),
        refresh=refresh,
    )


def _forced(consent: Consent) -> str:
    """Return what must happen before the user's choice counts; empty if it does."""
    if by_environment(os.environ) is not None:
        return (
            "An environment variable decides this, where this page was made and in every program "
            "that has it: to choose for yourself, unset the variable named above."
        )
    if str(paths.POLICY_FILE) in consent.rule:
        return (
            f"The administrator of this machine decides this, in {paths.POLICY_FILE}: your choice "
            "can be more private than that, and nothing else."
        )
    return ""


def _advice(config: WriterConfig) -> str:
    try:
        return advice(overview(config.directories, config.mode_file, config.problems))
    except OSError:
        return ""  # what cannot be read is named as a problem


def _timeline(spool: SpoolScan, journals: JournalScan, now: datetime) -> Timeline:
    tallies = {
        "pending": spool.counts[State.PENDING].times,
        "local": spool.counts[State.LOCAL].times,
        "sent": journals.sent.times,
        "rejected": journals.rejected.times,
        "lost": journals.lost,
    }
    if not tallies["local"].hours:
        del tallies["local"]
    return timeline(tallies, now)


def _newest_first(entries: list[Entry]) -> tuple[Entry, ...]:
    def moment(entry: Entry) -> float:
        found = parsed(entry.when)
        return found.timestamp() if found else 0.0

    return tuple(sorted(entries, key=moment, reverse=True))
