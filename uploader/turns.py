"""The backlogs of all owners, who take turns: nobody's events wait behind all of another's."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator

from telemetry_spool.listing import SegmentFile
from telemetry_spool.paths import Kind
from uploader.backlog import MOST_OPEN, SENDABLE, Backlog, Item
from uploader.gates import Owner
from uploader.reading import Reading, Terms

Admit = Callable[[Owner], frozenset[Kind]]
"""Tells which kinds of segments of an owner may be sent from now; nothing, if it is empty."""


class Turns:
    """Hands out lines, one of each owner's in turn. A private spool has one owner, None."""

    def __init__(self, *, limit: int) -> None:
        """Keep at most `limit` bytes of each line."""
        self._limit = limit
        self._backlogs: dict[Owner, Backlog] = {}
        self._order: deque[Owner] = deque()
        self._allowed = SENDABLE

    def refresh(
        self,
        segments: Iterable[SegmentFile],
        owner_of: Callable[[SegmentFile], Owner],
        terms_for: Callable[[Owner], Terms],
    ) -> None:
        """Take in what the directory shows now; new owners get their segments on these terms."""
        found: defaultdict[Owner, list[SegmentFile]] = defaultdict(list)
        for segment in segments:
            found[owner_of(segment)].append(segment)
        for owner in found.keys() - self._backlogs.keys():
            self._backlogs[owner] = Backlog(limit=self._limit, terms=terms_for(owner))
            self._backlogs[owner].allow(self._allowed)
            self._order.append(owner)
        for owner, backlog in self._backlogs.items():
            backlog.refresh(found.get(owner, []))
        self._forget_the_idle()

    def _forget_the_idle(self) -> None:
        for owner, backlog in list(self._backlogs.items()):
            if not backlog.kept:
                del self._backlogs[owner]
                self._order.remove(owner)

    def allow(self, kinds: frozenset[Kind]) -> None:
        """Hand out lines of these kinds of segments only; others count as absent until then."""
        if kinds == self._allowed:
            return
        self._allowed = kinds
        for backlog in self._backlogs.values():
            backlog.allow(kinds)

    def take(self, admit: Admit) -> Item | None:
        """Return the next line to deal with, of an owner who is admitted; None if there is none."""
        for _ in range(len(self._order)):
            owner = self._order[0]
            self._order.rotate(-1)
            kinds = admit(owner) & self._allowed
            if kinds:
                self._backlogs[owner].allow(kinds)
                item = self._backlogs[owner].take()
                if item is not None:
                    return item
        return None

    def again(self, item: Item) -> None:
        """Put a line back, to be taken again behind another one."""
        backlog = self._backlogs.get(item.reading.turn)
        if backlog is not None:
            backlog.again(item)

    def rest_if_crowded(self, owner: Owner) -> None:
        """Close segments of an owner who has to wait, where many do: descriptors would run out."""
        backlog = self._backlogs.get(owner)
        if backlog is not None and self._open > MOST_OPEN:
            backlog.rest()

    @property
    def _open(self) -> int:
        return sum(backlog.open for backlog in self._backlogs.values())

    @property
    def segments(self) -> int:
        """How many segments wait or are being sent, as far as the last refresh knows."""
        return sum(backlog.segments for backlog in self._backlogs.values())

    @property
    def exhausted(self) -> bool:
        """Whether every line has been taken once, as far as the last refresh knows."""
        return all(backlog.exhausted for backlog in self._backlogs.values())

    @property
    def empty(self) -> bool:
        """Whether there is nothing to do, as far as the last refresh knows."""
        return not any(True for _ in self.busy())

    def busy(self) -> Iterator[Owner]:
        """Yield the owners for whom there is something to do."""
        return (owner for owner, backlog in self._backlogs.items() if not backlog.empty)

    def is_busy(self, owner: Owner) -> bool:
        """Tell whether there is something to do for an owner."""
        return owner in self._backlogs and not self._backlogs[owner].empty

    @property
    def kept(self) -> bool:
        """Whether there are segments that could not be dealt with, though the endpoint works."""
        return any(backlog.kept for backlog in self._backlogs.values())

    def retry(self) -> None:
        """Give another chance to what could not be read or deleted."""
        for backlog in self._backlogs.values():
            backlog.retry()

    def finished(self) -> list[Reading]:
        """Return the segments to delete: every line of them is dealt with."""
        return [reading for backlog in self._backlogs.values() for reading in backlog.finished()]

    def remove(self, reading: Reading) -> None:
        """Delete a finished segment."""
        self._backlogs[reading.turn].remove(reading)

    def save(self) -> None:
        """Save the progress of every open segment."""
        for backlog in self._backlogs.values():
            backlog.save()

    def close(self) -> None:
        """Close every segment."""
        for backlog in self._backlogs.values():
            backlog.close()
