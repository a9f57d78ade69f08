"""What a line says of itself, read from many lines at once, and the proof that each is an event.

With `msgspec`, which the extra `fast` installs, a line costs a tenth of what it costs `json`. It is
used for lines that it finds nothing to say against; about all others `json` decides, so that the
same lines are events with it and without it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Protocol

from telemetry_spool.events import Event, Malformed, parse
from telemetry_spool.headers import agent_of
from telemetry_spool.segment import Line


class Label(Protocol):
    """Type and date for people, and the User-Agent that Flower would send with the event."""

    @property
    def event_type(self) -> str:
        """The event's type; empty if it has none."""
        ...

    @property
    def date(self) -> str:
        """When it was recorded; empty if it does not say."""
        ...

    @property
    def agent(self) -> str:
        """The User-Agent of its request."""
        ...


class _Read:
    """The label of an event that `json` has read."""

    __slots__ = ("agent", "date", "event_type")

    def __init__(self, event: Event) -> None:
        self.event_type = event.event_type
        self.date = event.date
        self.agent = agent_of(event.context)


def label_of(line: Line) -> Label | Malformed:
    """Read one line, whatever is in it."""
    event = parse(line)
    return event if isinstance(event, Malformed) else _Read(event)


def labels_of(lines: Sequence[bytes], *, agents: bool = True) -> Sequence[Label] | None:
    """Return the labels of lines that are all events; None if that takes a closer look.

    Without `agents` the User-Agents in them need not be the events' own.
    """
    return _read_all()(lines, agents=agents)


class _ReadAll(Protocol):
    def __call__(self, lines: Sequence[bytes], *, agents: bool) -> Sequence[Label] | None: ...


def _with_json(lines: Sequence[bytes], *, agents: bool) -> Sequence[Label] | None:
    del agents  # to look for them costs little beside all the rest
    labels: list[Label] = []
    for line in lines:
        label = label_of(Line(0, len(line) + 1, line))
        if isinstance(label, Malformed):
            return None
        labels.append(label)
    return labels


@cache
def _read_all() -> _ReadAll:
    """Return the fastest way there is. It is looked for with the first event."""
    try:
        from uploader.fast_labels import read_all
    except ImportError:
        return _with_json
    return read_all
