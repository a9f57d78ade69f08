"""What there is to know at a glance: consent, spool, losses, uploader. For `status`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from telemetry_spool import heartbeat
from telemetry_spool.bundle.names import Places
from telemetry_spool.bundle.outbox import outboxes
from telemetry_spool.consent import Consent, ConsentReader, Mode
from telemetry_spool.dropbox import is_served
from telemetry_spool.events import Event, parse
from telemetry_spool.heartbeat import Activity, Heartbeat
from telemetry_spool.journal import Journal
from telemetry_spool.ledger import receipts_journal
from telemetry_spool.listing import list_segments, pending_lines
from telemetry_spool.paths import Directories
from telemetry_spool.text import counted, plain
from telemetry_spool.writer_settings import LARGEST_EVENT_BYTES


@dataclass(frozen=True, slots=True)
class Amount:
    """Events, the bytes of their segments, and the date of the oldest, as it says itself."""

    events: int
    bytes: int
    oldest: str | None


@dataclass(frozen=True, slots=True)
class Overview:
    """The state of one spool.

    `pending` may be uploaded, `local` never will be by itself; `exported` counts events in bundles
    of which nobody knows yet whether they arrived, `rejected` and `lost` those in the dead letters
    and the loss ledger. `alive` is None if the uploader is on another host. `served` says that the
    spool is a drop box: of what is sealed in it, only its service knows.
    """

    directories: Directories
    consent: Consent
    problems: tuple[str, ...]
    pending: Amount
    local: Amount
    exported: int
    rejected: int
    lost: int
    uploader: Heartbeat | None
    alive: bool | None
    served: bool


def overview(
    directories: Directories, mode_file: Path | None, problems: tuple[str, ...] = ()
) -> Overview:
    """Look at everything. Raises OSError if a directory of the spool cannot be read."""
    last = heartbeat.read(directories.heard_of)
    found = list(problems)
    return Overview(
        directories=directories,
        consent=ConsentReader(mode_file).now(),
        pending=_amount(directories, found, local=False),
        local=_amount(directories, found, local=True),
        problems=tuple(found),
        exported=sum(outbox.events() for outbox in outboxes(Places(directories))),
        rejected=sum(1 for _ in _lines(Journal(directories.rejected, 0, 0))),
        lost=sum(_lost(line) for line in _lines(receipts_journal(directories))),
        uploader=last,
        alive=heartbeat.is_alive(last) if last else False,
        served=is_served(str(directories.spool)),
    )


def _amount(directories: Directories, problems: list[str], *, local: bool) -> Amount:
    """Count what can be read; what cannot be becomes a problem."""
    events = size = 0
    dates = []
    for segment in list_segments(str(directories.spool)):
        if segment.kind.local is not local:
            continue
        try:
            lines = pending_lines(segment, limit=LARGEST_EVENT_BYTES)
            first = next(lines, None)
            if first is not None:
                event = parse(first)
                dates.append(event.date if isinstance(event, Event) else "")
                events += 1 + sum(1 for _ in lines)
                size += segment.size
        except OSError as error:
            problems.append(f"{segment.path} cannot be read: {error.strerror}")
    return Amount(events, size, min(filter(None, dates), default=None))


def _lines(journal: Journal) -> Iterator[bytes]:
    for path in journal.files():
        with path.open("rb") as file:
            yield from file


def _lost(line: bytes) -> int:
    if not line.startswith(b'{"lost"'):
        return 0
    try:
        return int(json.loads(line)["lost"])
    except (ValueError, TypeError, KeyError):
        return 0


def attended(state: Overview) -> bool:
    """Tell whether an uploader runs, or ran and will run again, or has nothing to run for."""
    if state.alive is not False:
        return True
    last = state.uploader
    if last is None or last.activity != Activity.ENDED:
        return False
    return not state.pending.events or heartbeat.ran_lately(last)


def advice(state: Overview) -> str:
    """Return one line on what to do about what is wrong; empty if nothing is."""
    last = state.uploader
    if state.problems:
        return f"mend this: {state.problems[0]}"
    if state.consent.mode is not Mode.ON:
        return ""
    if last is not None and attended(state) and last.remedy:
        return last.remedy
    if state.served:
        return "" if attended(state) else "ask whoever runs this machine for its service"
    if state.pending.events and not attended(state):
        return "start the uploader: telemetry-uploader run (or, for now, telemetry-uploader once)"
    return ""


def as_json(state: Overview) -> dict[str, object]:
    """Return an overview for `--json`."""
    last = state.uploader
    return {
        "mode": state.consent.mode.value,
        "rule": state.consent.rule,
        "directory": str(state.directories.root),
        "spool": str(state.directories.spool),
        "drop_box": state.served,
        "pending": _amount_as_json(state.pending),
        "local": _amount_as_json(state.local),
        "exported": state.exported,
        "rejected": state.rejected,
        "lost": state.lost,
        "uploader": None
        if last is None
        else {
            "alive": state.alive,
            "pid": last.pid,
            "host": last.host,
            "version": last.version,
            "updated_at": last.updated_at,
            "endpoint": last.endpoint,
            "activity": last.activity,
            "reason": last.reason,
            "remedy": last.remedy,
            "next_attempt_at": last.next_attempt_at,
            "accepted": last.accepted,
            "rejected": last.rejected,
            "last_accepted_at": last.last_accepted_at,
        },
        "problems": list(state.problems),
        "advice": advice(state),
    }


def _amount_as_json(amount: Amount) -> dict[str, object]:
    return {
        "events": amount.events,
        "bytes": amount.bytes,
        "oldest": amount.oldest,
    }


def as_text(state: Overview) -> str:
    """Return an overview for people."""
    rows = [
        ("mode", f"{state.consent.mode.value} ({state.consent.rule})"),
        ("spool", str(state.directories.spool)),
        ("pending", _amount_as_text(state.pending)),
    ]
    if state.served:
        rows.append(("drop box", "what is sealed in it only its service can see"))
    if state.local.events:
        rows.append(("local", f"{_amount_as_text(state.local)}; never uploaded by itself"))
    if state.exported:
        rows.append(("exported", f"{counted(state.exported)}; telemetry-spool export --list"))
    if state.rejected:
        rows.append(("rejected", f"{counted(state.rejected)} in {state.directories.rejected}"))
    if state.lost:
        rows.append(("lost", f"{counted(state.lost)}; why: {state.directories.receipts}"))
    rows.extend(_uploader_as_text(state))
    rows.extend(("problem", problem) for problem in state.problems)
    if hint := advice(state):
        rows.append(("advice", hint))
    return "".join(f"{name:<10} {text}\n" for name, text in rows)


def _uploader_as_text(state: Overview) -> list[tuple[str, str]]:
    last = state.uploader
    if last is None:
        return [("uploader", "never ran with this spool")]
    where = f"pid {last.pid} on {last.host}"
    if last.activity == Activity.ENDED:
        why = f": {last.reason}" if last.reason else ""
        rows = [("uploader", f"a single run ended at {last.updated_at} ({where}){why}")]
    elif state.alive is False:
        return [("uploader", f"not running (last heard of {last.updated_at}, {where})")]
    else:
        doing = last.activity + (f": {last.reason}" if last.reason else "")
        heard = "" if state.alive else f"; on another host, last heard of {last.updated_at}"
        rows = [("uploader", f"{doing} ({where}{heard})"), ("endpoint", last.endpoint)]
    if last.next_attempt_at:
        rows.append(("next try", last.next_attempt_at))
    if last.last_accepted_at:
        rows.append(("last sent", f"{last.last_accepted_at}, {counted(last.accepted)} since start"))
    return rows


def _amount_as_text(amount: Amount) -> str:
    if not amount.events:
        return "nothing"
    oldest = f", the oldest from {plain(amount.oldest)}" if amount.oldest else ""
    return f"{counted(amount.events)}, {amount.bytes:,} bytes{oldest}"
