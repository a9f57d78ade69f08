"""Find out what is wrong on the way to the endpoint: `doctor`."""

from __future__ import annotations

from telemetry_spool.consent import ConsentReader
from uploader import config
from uploader.commands.console import Flags, Json
from uploader.options import with_settings


@with_settings
def doctor(flags: Flags, as_json_: Json = False) -> None:
    """Check the way to the endpoint: its name, the connection, TLS, proxies. Sends no event.

    Asks the endpoint once, with an OPTIONS request without content; only in mode on. Ends with 1 if
    anything is wrong, 78 if a setting is. telemetry-spool doctor checks what needs no network.

    Example: telemetry-uploader doctor --proxy http://proxy.example.org:3128
    """
    from telemetry_spool.commands.doctor import report  # what no other command needs is loaded here
    from uploader.connector import connect
    from uploader.diagnosis import diagnose

    loaded = config.load(flags)
    checks = list(diagnose(loaded, ConsentReader(loaded.mode_file).now(), lambda: connect(loaded)))
    report(checks, as_json=as_json_)
