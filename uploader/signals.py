"""Signals, as calls in the main thread."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType


@contextmanager
def answered(answers: Mapping[signal.Signals, Callable[[], None]]) -> Iterator[None]:
    """Call what belongs to a signal when it comes, for as long as the block lasts.

    A signal that is ignored, as nohup leaves SIGHUP, stays ignored.
    """

    def answer(number: int, _frame: FrameType | None) -> None:
        answers[signal.Signals(number)]()

    before = {
        number: signal.signal(number, answer)
        for number in answers
        if signal.getsignal(number) is not signal.SIG_IGN
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def has_terminal() -> bool:
    """Tell whether a terminal controls this process; none does after it has been closed."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True
