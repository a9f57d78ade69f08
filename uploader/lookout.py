"""Look at the spool: seal what may be sent, and tell the backlog what there is."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable

from telemetry_spool import paths
from telemetry_spool.dropbox import is_shared
from telemetry_spool.listing import SegmentFile, list_segments, segment_file
from uploader.dropbox import box_group, survey
from uploader.eviction import Lost, evict
from uploader.gates import Owner
from uploader.sealing import seal_active
from uploader.sendable import SENDABLE
from uploader.terms import PRIVATE, Terms
from uploader.turns import Turns

# How soon a segment is tried again that a writer held, the first time; then twice as long. What it
# has written rings before it lets go, which takes it microseconds.
_SEAL_AGAIN_SECONDS = 0.005

# Segments that are enough to find out whether the endpoint takes events.
_PROBES = 4

# In a drop box others decide how much there is to look at: a look is followed by a pause of this
# many times its length. And the backlog of one owner must not keep another's events unseen.
_PAUSE = 9.0
_UNSEEN_SECONDS = 1.0

# Complaints about segments that cannot be sealed: a user can make as many as there are names.
_MOST_COMPLAINTS = 20
_COMPLAINTS_SECONDS = 3600.0

_log = logging.getLogger(__name__)


class Lookout:
    """Knows when to look again, and what the last look could not deal with."""

    def __init__(
        self, directories: paths.Directories, rescan_interval: float, max_bytes: int, lost: Lost
    ) -> None:
        """Look at the spool, at least every `rescan_interval` seconds.

        In a shared one each owner may have `max_bytes`; what goes because of that is told to
        `lost`.
        """
        self._directory = str(directories.spool)
        self._progress = str(directories.progress)
        self._rescan_interval = rescan_interval
        self._max_bytes = max_bytes
        self._lost = lost
        self._group: int | None = None
        self._unlisted = False
        self._unsealed = False
        self._seal_again = _SEAL_AGAIN_SECONDS
        self._pause_ends = 0.0
        self._looked_at = 0.0
        self._complained: set[str] = set()
        self._complaints_end = 0.0
        self.shared = False
        """Whether the spool is not ours alone, as of the last look."""
        self.next_look = 0.0
        """When to look again without a sign from the file system, on the monotonic clock."""

    @property
    def kept(self) -> bool:
        """Whether the last look could not see, or not seal, everything."""
        return self._unlisted or self._unsealed

    def answers_ring(self, *, exhausted: bool) -> float | None:
        """Return when a sign from the file system may be followed; None: not now.

        What there is has to be taken first, in a private spool.
        """
        if not self.shared:
            return 0.0 if exhausted else None
        unseen = 0.0 if exhausted else self._looked_at + _UNSEEN_SECONDS
        return max(unseen, self._pause_ends)

    def look(
        self,
        backlog: Turns,
        now: float,
        wall: float,
        names: frozenset[str] | None = None,
        *,
        sealing: bool,
        doubtful: Callable[[Owner], bool],
    ) -> None:
        """Bring the backlog up to date: with everything, or with what has changed.

        `now` is of the monotonic clock, `wall` of the one that files have, both in seconds; `names`
        are those of the files that have changed since the last look, None if any may have;
        `sealing` says that active segments may be sealed, `doubtful` for whose events the endpoint
        is in trouble.
        """
        seen = not (self.kept or backlog.passed_by)
        if names is None or self.shared or not seen or doubtful(None):
            self._look_at_everything(backlog, now, wall, sealing=sealing, doubtful=doubtful)
        else:
            self._look_at(names, backlog, now, wall, sealing=sealing)

    def _look_at(
        self, names: frozenset[str], backlog: Turns, now: float, wall: float, *, sealing: bool
    ) -> None:
        """See what became of a few files: this costs the same however many there are."""
        changed = [
            segment
            for name in sorted(names)
            if (segment := segment_file(f"{self._directory}/{name}", name)) is not None
        ]
        sealed = self._seal_what_is_due(changed, now, wall) if sealing else []
        for segment in [*changed, *sealed]:
            if segment.kind in SENDABLE:
                backlog.add(segment)

    def _look_at_everything(
        self,
        backlog: Turns,
        now: float,
        wall: float,
        *,
        sealing: bool,
        doubtful: Callable[[Owner], bool],
    ) -> None:
        self.next_look = now + self._rescan_interval
        began = time.monotonic()
        try:
            self.shared = is_shared(self._directory)
            self._group = box_group(self._directory) if self.shared else None
            segments = self._list()
            if sealing:
                segments = self._seal(segments, now, wall, doubtful)
            if self.shared:
                segments = self._keep_within_quotas(segments, now)
        except OSError as error:
            if not self._unlisted:
                _log.warning("%s cannot be listed: %s", self._directory, error.strerror)
            self._unlisted = True
            return
        self._unlisted = False
        self._looked_at = now
        if self.shared:
            self._pause_ends = now + (1 + _PAUSE) * (time.monotonic() - began)
            self.next_look = max(self.next_look, self._pause_ends)
        backlog.refresh(segments, self._owner, self._terms)

    def _owner(self, segment: SegmentFile) -> Owner:
        return segment.owner if self.shared else None

    def _terms(self, owner: Owner) -> Terms:
        if owner is None:
            return PRIVATE
        return Terms(owner, self._progress, self._max_bytes, self._group)

    def _list(self) -> list[SegmentFile]:
        if self.shared:
            return survey(self._directory, self._max_bytes)
        return list_segments(self._directory)

    def _seal(
        self,
        segments: list[SegmentFile],
        now: float,
        wall: float,
        doubtful: Callable[[Owner], bool],
    ) -> list[SegmentFile]:
        """Seal what can be sealed; return the segments that there are then.

        While the endpoint is doubtful a few segments are probes enough: sealing more would turn an
        offline month into a file for every attempt. One is not enough: what is left of it may be
        the one event that the endpoint stumbles over.
        """
        probes = Counter(self._owner(found) for found in segments if found.kind in SENDABLE)
        active = [found for found in segments if found.kind is paths.Kind.ACTIVE and found.size]
        due = [
            found
            for found in active
            if probes[self._owner(found)] < _PROBES or not doubtful(self._owner(found))
        ]
        if active and not due:
            return segments
        return self._list() if self._seal_what_is_due(due, now, wall) else segments

    def _seal_what_is_due(
        self, segments: list[SegmentFile], now: float, wall: float
    ) -> list[SegmentFile]:
        """Seal active segments; return them under their new names."""
        due = [found for found in segments if found.kind is paths.Kind.ACTIVE and found.size]
        if now >= self._complaints_end:
            self._complained.clear()
            self._complaints_end = now + _COMPLAINTS_SECONDS
        sealed = seal_active(due, host=paths.host_name(), now=wall, complain=self._complain)
        self._unsealed = len(sealed) < len(due)
        if self._unsealed:
            # It was in use a moment ago, and nothing will ring when it is let go.
            self.next_look = min(self.next_look, now + self._seal_again)
            self._seal_again = min(2 * self._seal_again, self._rescan_interval)
        else:
            self._seal_again = _SEAL_AGAIN_SECONDS
        return sealed

    def _complain(self, path: str, error: OSError) -> None:
        if path not in self._complained and len(self._complained) < _MOST_COMPLAINTS:
            self._complained.add(path)
            _log.warning("%s cannot be sealed: %s", path, error.strerror)

    def _keep_within_quotas(self, segments: list[SegmentFile], now: float) -> list[SegmentFile]:
        kept, finished = evict(segments, self._terms, self._lost)
        if not finished:
            self.next_look = min(self.next_look, now + _UNSEEN_SECONDS)
        return kept
