"""Look at the spool: seal what may be sent, and tell the backlog what there is."""

from __future__ import annotations

import logging

from telemetry_spool import paths
from telemetry_spool.listing import SegmentFile, list_segments
from uploader.backlog import SENDABLE, Backlog
from uploader.sealing import seal_active

# How soon a segment is tried again that a writer held, the first time; then twice as long.
_SEAL_AGAIN_SECONDS = 0.1

# Segments that are enough to find out whether the endpoint takes events.
_PROBES = 4

_log = logging.getLogger(__name__)


class Lookout:
    """Knows when to look again, and what the last look could not deal with."""

    def __init__(self, directory: str, rescan_interval: float) -> None:
        """Look at `directory`, at least every `rescan_interval` seconds."""
        self._directory = directory
        self._rescan_interval = rescan_interval
        self._unlisted = False
        self._unsealed = False
        self._seal_again = _SEAL_AGAIN_SECONDS
        self.next_look = 0.0
        """When to look again without a sign from the file system, on the monotonic clock."""

    @property
    def kept(self) -> bool:
        """Whether the last look could not see, or not seal, everything."""
        return self._unlisted or self._unsealed

    def look(
        self, backlog: Backlog, now: float, wall: float, *, sealing: bool, doubtful: bool
    ) -> None:
        """Bring the backlog up to date.

        `now` is of the monotonic clock, `wall` of the one that files have, both in seconds;
        `sealing` says that active segments may be sealed, `doubtful` that the endpoint is in
        trouble.
        """
        self.next_look = now + self._rescan_interval
        try:
            segments = list_segments(self._directory)
            waiting = sum(segment.kind in SENDABLE for segment in segments)
            # While the endpoint is doubtful a few segments are probes enough: sealing more would
            # turn an offline month into a file for every attempt. One is not enough: what is left
            # of it may be the one event that the endpoint stumbles over.
            if sealing and (waiting < _PROBES or not doubtful):
                segments = self._seal(segments, now, wall)
        except OSError as error:
            _log.warning("%s cannot be listed: %s", self._directory, error.strerror)
            self._unlisted = True
            return
        self._unlisted = False
        backlog.refresh(segments)

    def _seal(self, segments: list[SegmentFile], now: float, wall: float) -> list[SegmentFile]:
        """Seal what can be sealed; return the segments that there are then."""
        active = sum(bool(found.size) and found.kind is paths.Kind.ACTIVE for found in segments)
        sealed = seal_active(segments, host=paths.host_name(), now=wall)
        self._unsealed = sealed < active
        if self._unsealed:
            # It was in use a moment ago, and nothing will ring when it is let go.
            self.next_look = min(self.next_look, now + self._seal_again)
            self._seal_again = min(2 * self._seal_again, self._rescan_interval)
        else:
            self._seal_again = _SEAL_AGAIN_SECONDS
        return list_segments(self._directory) if sealed else segments
