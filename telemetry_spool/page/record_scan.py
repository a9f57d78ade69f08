"""Count what was sent and set aside, keep the newest of it, and sum up the losses by reason."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from telemetry_spool.entries import Complain, Entry, State, entries
from telemetry_spool.page.model import Loss, when
from telemetry_spool.page.tally import Counting, Newest
from telemetry_spool.page.timeline import Tally
from telemetry_spool.paths import Directories

# Reasons are sentences of ours, but some name a file.
_MOST_REASONS = 50
_OTHER_REASONS = "other reasons"


@dataclass(slots=True)
class RecordScan:
    """What one pass over receipts, losses and dead letters found; `lost` has times of losses."""

    counts: dict[State, Counting] = field(
        default_factory=lambda: {State.REJECTED: Counting(), State.SENT: Counting()}
    )
    lost: Tally = field(default_factory=Tally)
    losses: dict[str, Loss] = field(default_factory=dict)
    _newest: dict[State, Newest[Entry]] = field(
        default_factory=lambda: {State.REJECTED: Newest(), State.SENT: Newest()}
    )

    def add(self, entry: Entry) -> None:
        """Count an entry, and keep it while it is among the newest."""
        if entry.state is State.LOST:
            self._add_loss(entry)
            return
        size = len(entry.body or b"")
        self.counts[entry.state].add(entry.event_type, when(entry), size)
        self._newest[entry.state].add(entry, size)

    def _add_loss(self, entry: Entry) -> None:
        self.lost.add(entry.date, entry.count)
        reason = str(entry.more.get("reason"))
        if reason not in self.losses and len(self.losses) >= _MOST_REASONS:
            reason = _OTHER_REASONS
        known = self.losses.get(reason, Loss(reason, 0, entry.date, entry.date))
        first, last = min(known.first, entry.date), max(known.last, entry.date)
        self.losses[reason] = Loss(reason, known.events + entry.count, first, last)

    def entries(self) -> Iterator[Entry]:
        """Yield the newest of what was set aside and sent."""
        for newest in self._newest.values():
            yield from newest.things()


def scan_records(directories: Directories, complain: Complain) -> RecordScan:
    """Read the journals; what cannot be read is given to `complain` in one line.

    Raises OSError if a directory cannot be listed.
    """
    scan = RecordScan()
    for entry in entries(directories, (State.REJECTED, State.SENT, State.LOST), complain):
        scan.add(entry)
    return scan
