"""Keep back what must not be sent: lines that are no events, and with `strict` odd ones."""

from __future__ import annotations

from collections.abc import Sequence

from telemetry_spool.paths import Kind
from uploader.pieces import Piece
from uploader.settlement import Settlement
from uploader.strictness import objection
from uploader.turns import Turns


class Screening:
    """Looks at each piece before it is sent. What the user has chosen to be sent is let go."""

    def __init__(self, backlog: Turns, settlement: Settlement, *, strict: bool) -> None:
        """Set aside in `settlement`; look into the events if `strict`."""
        self._backlog = backlog
        self._settlement = settlement
        self._strict = strict

    def are_sound(self, pieces: Sequence[Piece]) -> bool:
        """Tell whether nothing of these has to be kept back, as far as can be told at a glance."""
        return not self._strict and not any(piece.problem for piece in pieces)

    def keeps_back(self, piece: Piece) -> bool:
        """Set aside what must not be sent and return True; a batch with such an event is split."""
        if piece.problem is not None:
            self._settlement.reject(piece, piece.problem.reason, None)
            return True
        if not self._strict or piece.reading.kind is Kind.RELEASED:
            return False
        owner = piece.reading.owner
        held = next(filter(None, (objection(line, owner) for line in piece.lines())), None)
        if held is None:
            return False
        if piece.events > 1:
            self._backlog.split(piece)
        else:
            self._settlement.reject(piece, held.reason, None)
        return True
