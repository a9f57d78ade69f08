"""The command `telemetry-spool`: see what telemetry does here, and decide about it."""

from __future__ import annotations

import os
import sys

from telemetry_spool.command import new_command
from telemetry_spool.commands import (
    audit,
    carry,
    carry_in,
    choice,
    doctor,
    glance,
    look,
    rejected,
    release,
    removing,
    source,
    summary,
    verify,
    view,
)
from telemetry_spool.commands.console import fail_for
from telemetry_spool.text import print_any_character

app = new_command(
    "telemetry-spool",
    "See what Flower's telemetry records on this machine, and decide about it. "
    "This command never touches the network.",
)
app.command()(glance.status)
app.command("list")(look.list_)
app.command()(look.show)
app.command()(look.tail)
app.command()(summary.stats)
app.command()(summary.preview)
app.command()(view.view)
app.command()(release.send)
app.command()(removing.rm)
app.command()(removing.purge)
app.add_typer(rejected.app, name="rejected")
app.add_typer(source.app, name="source")
app.command("audit")(audit.audit_)
app.command("verify")(verify.verify_)
app.command()(doctor.doctor)
app.command()(choice.on)
app.command()(choice.local)
app.command()(choice.off)
app.command()(carry.export)
app.command("import")(carry_in.import_)


def main() -> None:
    """Run the command; what a person can mend ends in one line on stderr and an exit code."""
    print_any_character()
    try:
        app()
    except BrokenPipeError:
        # The reader has gone (`| head`); the interpreter must not complain while it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        fail_for(error)


if __name__ == "__main__":
    main()
