"""The command `telemetry-spool`: see what telemetry does here, and decide about it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from typing import Annotated, NoReturn

import typer

from telemetry_spool import consent
from telemetry_spool.command import new_command
from telemetry_spool.consent import Mode
from telemetry_spool.events import Event, parse
from telemetry_spool.listing import SegmentFile, list_segments, pending_lines
from telemetry_spool.overview import as_json, as_text, overview
from telemetry_spool.segment import Line, event_id
from telemetry_spool.settings import LARGEST_EVENT_BYTES, WriterConfig, writer_config
from telemetry_spool.text import counted, plain, print_any_character

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]

_SHORT_ID = 12

app = new_command(
    "telemetry-spool",
    "See what Flower's telemetry records on this machine, and decide about it. "
    "This command never touches the network.",
)


def main() -> None:
    """Run the command; what a person can mend ends in one line on stderr and an exit code."""
    print_any_character()
    try:
        app()
    except BrokenPipeError:
        # The reader has gone (`| head`); the interpreter must not complain while it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        _fail(f"{error.filename or ''}: {error.strerror or error}".lstrip(": "))


def _fail(message: str) -> NoReturn:
    _complain(message)
    sys.exit(1)


def _complain(message: str) -> None:
    sys.stderr.write(f"telemetry-spool: {message}\n")


@app.command()
def status(as_json_: Json = False) -> None:
    """Show the mode and the rule that decided it, the spool, the backlog, and the uploader.

    Example: telemetry-spool status --json | jq .pending.events
    """
    config = writer_config()
    state = overview(config.directories, config.mode_file, config.problems)
    typer.echo(json.dumps(as_json(state), indent=2) if as_json_ else as_text(state), nl=as_json_)


@app.command("list")
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
                f"{row['id'][:_SHORT_ID]}  {plain(row['date']):<32}  {row['state']:<7}  "
                f"{plain(row['event_type']) or '(no event_type)'}"
            )


@app.command()
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
        _fail(f"no event {event!r} in {config.directories.spool}; telemetry-spool list shows all")
    if len(found) > 1:
        short = ", ".join(sorted(name[:_SHORT_ID] for name in list(found)[:5]))
        _fail(f"{event!r} is the beginning of {len(found)} ids ({short}, …): give more of it")
    line = next(iter(found.values()))
    if raw:
        sys.stdout.buffer.write(line.data)
        return
    try:
        typer.echo(json.dumps(json.loads(line.data), indent=2))
    except (ValueError, RecursionError):
        typer.echo(plain(line.data.decode("utf-8", "backslashreplace")))


def _choose(mode: Mode, what: str) -> None:
    config = writer_config()
    if config.mode_file is None:
        _fail("no home directory to keep the choice in: set HOME")
    consent.choose(config.mode_file, mode)
    typer.echo(what)
    decided = consent.ConsentReader(config.mode_file).now()
    if decided.mode is not mode:
        typer.echo(f"Here and now the mode is {decided.mode.value} all the same: {decided.rule}.")


@app.command()
def on() -> None:
    """Record events and let the uploader send them. Works at once, also in running processes."""
    _choose(Mode.ON, "Events are recorded, and an uploader may send them.")


@app.command()
def local() -> None:
    """Record events but never send them. Works at once, also in running processes."""
    _choose(Mode.LOCAL, "Events are recorded here and not sent: nothing leaves this machine.")


@app.command()
def off() -> None:
    """Record nothing and send nothing. Works at once, also in running processes."""
    _choose(Mode.OFF, "Nothing is recorded and nothing is sent from now on.")
    config = writer_config()
    state = overview(config.directories, config.mode_file)
    kept = state.pending.events + state.local.events
    if kept:
        typer.echo(f"Recorded before and still in {config.directories.spool}: {counted(kept)}.")


def _events(config: WriterConfig) -> Iterator[tuple[SegmentFile, Line]]:
    for segment in list_segments(str(config.directories.spool)):
        try:
            for line in pending_lines(segment, limit=LARGEST_EVENT_BYTES):
                yield segment, line
        except OSError as error:
            _complain(f"{segment.path} cannot be read: {error.strerror}")


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


if __name__ == "__main__":
    main()
