"""Read every line there is, and name those that are not what belongs in their file."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from telemetry_spool.deletion import is_note
from telemetry_spool.entries import of_letter, of_receipt
from telemetry_spool.events import Malformed, parse
from telemetry_spool.ledger import receipts_journal
from telemetry_spool.letters import dead_letter_journal
from telemetry_spool.listing import list_segments, open_segment
from telemetry_spool.paths import Directories
from telemetry_spool.segment import Line, read_lines
from telemetry_spool.writer_settings import LARGEST_EVENT_BYTES

# A dead letter has up to a KiB of the endpoint's answer besides the event, in which every byte may
# be written as six: more than any of our own lines has.
_LARGEST_RECORD_BYTES = 8 * LARGEST_EVENT_BYTES


@dataclass(frozen=True, slots=True)
class Flaw:
    """A line that is wrong, at a byte offset in its file; without one, the file cannot be read."""

    file: str
    offset: int | None
    problem: str


@dataclass(slots=True)
class Tally:
    """How much was read; `on_line` is called for each line."""

    on_line: Callable[[], None] = lambda: None
    files: int = 0
    lines: int = 0


def verify(directories: Directories, tally: Tally) -> Iterator[Flaw]:
    """Yield what is wrong in spool, dead letters and receipts, and count in `tally`.

    A file that goes away meanwhile has nothing wrong. Raises OSError if a directory has no list.
    """
    for segment in list_segments(str(directories.spool)):
        yield from _flaws(segment.path, _problem_of_event, LARGEST_EVENT_BYTES, tally)
    for path in dead_letter_journal(directories).files():
        yield from _flaws(str(path), _problem_of_letter, _LARGEST_RECORD_BYTES, tally)
    for path in receipts_journal(directories).files():
        yield from _flaws(str(path), _problem_of_receipt, _LARGEST_RECORD_BYTES, tally)


def _problem_of_event(line: Line) -> str | None:
    event = parse(line)
    return event.reason if isinstance(event, Malformed) else None


def _problem_of_letter(line: Line) -> str | None:
    return None if of_letter(line.data, "") else "no dead letter"


def _problem_of_receipt(line: Line) -> str | None:
    known = of_receipt(line.data, "") or is_note(line.data)
    return None if known else "neither a receipt nor a loss"


def _flaws(
    path: str, problem_of: Callable[[Line], str | None], limit: int, tally: Tally
) -> Iterator[Flaw]:
    try:
        descriptor = open_segment(path)
    except FileNotFoundError:
        return
    except OSError as error:
        yield Flaw(path, None, f"cannot be read: {error.strerror}")
        return
    tally.files += 1
    try:
        for line in read_lines(descriptor, limit=limit):
            tally.lines += 1
            tally.on_line()
            problem = problem_of(line)
            if problem and line.end == line.start + len(line.data):
                # It has no newline: its writer was in the middle of it, and is not any more.
                problem = problem_of(next(read_lines(descriptor, line.start, limit=limit), line))
            if problem:
                yield Flaw(path, line.start, problem)
    except OSError as error:
        yield Flaw(path, None, f"cannot be read: {error.strerror}")
    finally:
        os.close(descriptor)
