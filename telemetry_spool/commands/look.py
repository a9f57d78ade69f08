"""Look at events: `list`, `show`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Annotated

import typer

from telemetry_spool.commands.console import SHORT_ID, complain, fail
from telemetry_spool.events import Event, parse
from telemetry_spool.listing import SegmentFile, list_segments, pending_lines
from telemetry_spool.segment import Line, event_id
from telemetry_spool.text import plain
from telemetry_spool.writer_settings import LARGEST_EVENT_BYTES, WriterConfig, writer_config


def list_(
    as_json_: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
    limit: Annotated[int | None, typer.Option(min=0, help="Show at most this many.")] = None,
) -> None:
    """List the events in the spool, the oldest segment first: id, date, state, type.

    Examples: telemetry-spool list --limit 20; telemetry-spool list --json | jq .event_type
    """
    config = writer_config()
    for number, (segment, line) in enumerate(_events(config)):
        if number == limit:
            break
        row = _row(segment, line)
        if as_json_:
            typer.echo(json.dumps(row))
        else:
            typer.echo(
                f"{row['id'][:SHORT_ID]}  {plain(row['date']):<32}  {row['state']:<7}  "
                f"{plain(row['event_type']) or '(no event_type)'}"
            )


def show(
    event: Annotated[
        str, typer.Argument(help="The id, or its beginning, from telemetry-spool list.")
    ],
    raw: Annotated[bool, typer.Option("--raw", help="Print the exact bytes.")] = False,
) -> None:
    """Show one event: exactly what is, or would be, sent.

    Examples: telemetry-spool show 3f2a91; telemetry-spool show --raw 3f2a91 | sha256sum
    """
    config = writer_config()
    wanted = event.lower()
    found = {
        name: line
        for _, line in _events(config)
        if (name := event_id(line.data)).startswith(wanted)
    }
    if not found:
        fail(f"no event {event!r} in {config.directories.spool}; telemetry-spool list shows all")
    if len(found) > 1:
        short = ", ".join(sorted(name[:SHORT_ID] for name in list(found)[:5]))
        fail(f"{event!r} is the beginning of {len(found)} ids ({short}, …): give more of it")
    line = next(iter(found.values()))
    if raw:
        sys.stdout.buffer.write(line.data)
        return
    try:
        typer.echo(json.dumps(json.loads(line.data), indent=2))
    except (ValueError, RecursionError):
        typer.echo(plain(line.data.decode("utf-8", "backslashreplace")))


def _events(config: WriterConfig) -> Iterator[tuple[SegmentFile, Line]]:
    for segment in list_segments(str(config.directories.spool)):
        try:
            for line in pending_lines(segment, limit=LARGEST_EVENT_BYTES):
                yield segment, line
        except OSError as error:
            complain(f"{segment.path} cannot be read: {error.strerror}")


def _row(segment: SegmentFile, line: Line) -> dict[str, str]:
    event = parse(line)
    event_type, date = (
        (event.event_type, event.date) if isinstance(event, Event) else ("(not an event)", "")
    )
    return {
        "id": event_id(line.data),
        "event_type": event_type,
        "date": date,
        "state": "local" if segment.kind.local else "pending",
        "segment": segment.name,
    }
