"""One writer of the soak: `soak_writer BOARD WRITERS NUMBER EVENTS AHEAD`.

Goes on where its predecessor was killed; the event that was under way then is not tried again.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from telemetry_spool import event
from tests.faults.soak_board import Board


def main(path: str, writers: int, number: int, events: int, ahead: int) -> None:
    """Record events, as long as the collector is not further behind than `ahead`."""
    board = Board(Path(path), writers)
    for count in range(board.begun(number), events):
        while board.recorded - board.collected > ahead:
            time.sleep(0.01)  # so that writers and uploader are at it, and killed, together
        board.begin(number, count + 1)
        event("SOAK", {"writer": number, "count": count})
        board.confirm(number, count + 1)


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
