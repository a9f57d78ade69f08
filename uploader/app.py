"""The command line of `telemetry-uploader`."""

from __future__ import annotations

from telemetry_spool.command import new_command
from uploader.commands import collect, doctor, look, send
from uploader.service import commands

app = new_command(
    "telemetry-uploader",
    "Send what Flower's processes have spooled. This command does all the networking.",
)
app.command()(send.run)
app.command()(send.once)
app.command()(look.status)
app.command()(look.check)
app.command()(doctor.doctor)
app.command()(collect.collect)
app.command()(commands.install)
app.command()(commands.uninstall)
