"""What the doorbell said since the last look."""

from __future__ import annotations

from collections import deque

# Where so much has changed, looking at everything costs little beside it. Some reports may be lost
# then, too: a kernel keeps some 16,000 that nobody has read.
_MOST_RINGS = 1_000


class Rings:
    """Collects names in any thread; they are taken in one."""

    def __init__(self) -> None:
        self._names: deque[str] = deque()

    def note(self, name: str) -> None:
        """Note that the file with this name in the spool has changed; empty: any may have."""
        if len(self._names) < _MOST_RINGS:
            self._names.append(name)

    def take(self) -> frozenset[str] | None:
        """Return the names that were noted; None if everything is to be looked at."""
        names = [self._names.popleft() for _ in range(len(self._names))]
        if not names or len(names) >= _MOST_RINGS or "" in names:
            return None
        return frozenset(names)
