"""The backlogs of all owners, who take turns: nobody's events wait behind all of another's."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator

from telemetry_spool.listing import SegmentFile
from telemetry_spool.paths import Kind
from uploader.backlog import MOST_OPEN, Backlog
from uploader.gates import Owner
from uploader.pieces import SINGLE, Piece, Shape
from uploader.reading import Reading
from uploader.sendable import SENDABLE
from uploader.terms import PRIVATE, Terms

Admit = Callable[[Owner], frozenset[Kind]]
"""Tells which kinds of segments of an owner may be sent from now; nothing, if it is empty."""


class Turns:
    """Hands out pieces, one of each owner's in turn. A private spool has one owner, None."""

    def __init__(self, *, limit: int, shape: Shape = SINGLE) -> None:
        """Keep at most `limit` bytes of each line; cut segments into pieces of this shape."""
        self._limit = limit
        self._shape = shape
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
            self._begin(owner, terms_for(owner))
        for owner, backlog in self._backlogs.items():
            backlog.refresh(found.get(owner, []))
        self._forget_the_idle()

    def add(self, segment: SegmentFile) -> None:
        """Take in a segment that has come to a private spool since the last refresh."""
        if None not in self._backlogs:
            self._begin(None, PRIVATE)
        self._backlogs[None].add(segment)

    def _begin(self, owner: Owner, terms: Terms) -> None:
        self._backlogs[owner] = Backlog(limit=self._limit, terms=terms, shape=self._shape)
        self._backlogs[owner].allow(self._allowed)
        self._order.append(owner)

    def _forget_the_idle(self) -> None:
        for owner, backlog in list(self._backlogs.items()):
            if not backlog.kept:
                del self._backlogs[owner]
                self._order.remove(owner)

    def allow(self, kinds: frozenset[Kind]) -> None:
        """Hand out pieces of these kinds of segments only; others count as absent until then."""
        if kinds == self._allowed:
            return
        self._allowed = kinds
        for backlog in self._backlogs.values():
            backlog.allow(kinds)

    def take(self, admit: Admit) -> Piece | None:
        """Return the next piece to deal with, of an admitted owner; None if there is none."""
        for _ in range(len(self._order)):
            owner = self._order[0]
            if len(self._order) > 1:
                self._order.rotate(-1)
            kinds = admit(owner)
            if kinds is not self._allowed:
                kinds &= self._allowed
            if kinds:
                self._backlogs[owner].allow(kinds)
                piece = self._backlogs[owner].take()
                if piece is not None:
                    return piece
        return None

    def take_read(self, most: int) -> list[Piece]:
        """Return up to so many pieces that come next and are in memory already.

        In a private spool only: in a shared one others would have to wait for all of these, and
        their owner is asked before every request.
        """
        if len(self._order) != 1 or self._order[0] is not None:
            return []
        return self._backlogs[None].take_read(most)

    def again(self, piece: Piece) -> None:
        """Put a piece back, to be taken again behind another one."""
        backlog = self._backlogs.get(piece.reading.turn)
        if backlog is not None:
            backlog.again(piece)

    def doubt(self) -> None:
        """See again before the next piece of each segment whether the segment is still there."""
        for backlog in self._backlogs.values():
            backlog.doubt()

    def split(self, piece: Piece) -> None:
        """Put the halves of a piece back, to be taken by themselves."""
        backlog = self._backlogs.get(piece.reading.turn)
        if backlog is not None:
            backlog.split(piece)

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
        """Whether everything has been taken once, as far as the last refresh knows."""
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
    def passed_by(self) -> bool:
        """Whether there are segments that could not be opened: in use, or unreadable."""
        return any(backlog.passed_by for backlog in self._backlogs.values())

    @property
    def kept(self) -> bool:
        """Whether there are segments that could not be dealt with, though the endpoint works."""
        return any(backlog.kept for backlog in self._backlogs.values())

    def retry(self) -> None:
        """Give another chance to what could not be read or deleted."""
        for backlog in self._backlogs.values():
            backlog.retry()

    def finished(self) -> list[Reading]:
        """Return the segments to delete: all of them is dealt with."""
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
