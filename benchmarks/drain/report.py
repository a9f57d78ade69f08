"""The report: Markdown for people, JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass

from benchmarks.drain.peers import CONFIGURATIONS
from benchmarks.drain.tables import Table, Text

_INTRODUCTION = """\
# Performance

Made in {minutes:.0f} min by `{command}`; another run finds other figures.
Machines differ and are noisy: compare within a table, by its ratios, never between pages. All
subjects of a table were measured in one run. Where a table has "least, most" its subjects took
turns in random order, {rounds}, and figures are medians; other tables have one run of each.

{machine}

How it is measured:

- Events are as Flower makes them, {event_bytes} bytes each, all different. Ours gets them as the
  spool that writers leave (segments of 1 MiB), others as one file. Everything goes over
  loopback to an endpoint of this benchmark, in a process of its own that is not counted, which
  compares what arrived with the source: a subject that loses an event has no row. "Twice" counts
  events that arrived more than once.
- CPU time is user and system of the shipper's process and its children, from its start to its end:
  starting Python, reading the configuration and stopping are in it, for all alike. What is ours
  validates each line, computes its id, writes a receipt, saves its progress and deletes what has
  been accepted; a floor does none of that. The interpreter counts: a distribution's Python is
  built with profiles of what programs do (PGO), as others are only if asked for.
- "To the floor" and "to the best peer" are the CPU time divided by the least of the floors and of
  the peers in the same table.
- Each peer has the best configuration that we know: see the [files](../benchmarks/peers). Debian's
  come from its release {release}, unpacked below `.cache`; others are measured where they are on
  PATH.
"""


@dataclass(frozen=True, slots=True)
class Report:
    """All that one run found out."""

    command: str
    rounds: str
    minutes: float
    machine: Sequence[str]
    event_bytes: int
    release: str
    parts: Sequence[Table | Text]


def markdown(report: Report) -> str:
    """Return the page."""
    head = _INTRODUCTION.format(
        command=report.command,
        minutes=max(1.0, report.minutes),
        rounds=report.rounds,
        event_bytes=report.event_bytes,
        release=report.release,
        machine="\n".join(f"- {line}" for line in report.machine),
    )
    parts = (_table(part) if isinstance(part, Table) else _text(part) for part in report.parts)
    return "\n".join([head, *parts, _configurations()])


def as_json(report: Report) -> str:
    """Return the same for programs."""
    return json.dumps(asdict(report), indent=2) + "\n"


def _table(table: Table) -> str:
    lines = [f"## {table.title}", "", table.about, "", *_cells(table.columns, table.rows)]
    if table.remarks:
        lines += ["", *(f"- {remark}" for remark in table.remarks)]
    return "\n".join(lines) + "\n"


def _cells(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(columns)} |"
    yield f"|---|{'---:|' * (len(columns) - 1)}"
    for row in rows:
        cells = (f"**{cell}**" if row[0].startswith("ours:") else cell for cell in row)
        yield f"| {' | '.join(cells)} |"


def _text(text: Text) -> str:
    made = f"Made by `{text.command}`.\n\n" if text.command else ""
    return f"## {text.title}\n\n{made}```\n{text.body}\n```\n"


def _configurations() -> str:
    files = sorted(path.name for path in CONFIGURATIONS.iterdir())
    links = "\n".join(f"- [{name}](../benchmarks/peers/{name})" for name in files)
    return f"## Configurations\n\n{links}\n"
