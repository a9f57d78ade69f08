"""Become the daemon: the same process, without what only the command line has loaded.

`telemetry-uploader run` starts itself anew, with what it was asked in a variable of the
environment. So the daemon is a third smaller, and still is what was started: same process id, same
command line in `ps`, same interpreter and launcher.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, MutableMapping
from contextlib import suppress
from dataclasses import dataclass

_VARIABLE = "_FLWR_TELEMETRY_UPLOADER_RUN"


@dataclass(frozen=True, slots=True)
class Orders:
    """What the command line asked of the daemon: settings by name as flags have them."""

    flags: Mapping[str, object]
    verbose: bool


def become(orders: Orders) -> None:
    """Turn this process into the daemon; where it cannot start itself anew, run it as it is."""
    written = json.dumps({"flags": dict(orders.flags), "verbose": orders.verbose})
    if sys.executable and _is_command_line():
        sys.stdout.flush()
        arguments = [sys.executable, *sys.orig_argv[1:]]
        # Threads that wait for the network need no heap each (glibc; half a MiB).
        environ = {"MALLOC_ARENA_MAX": "1", **os.environ, _VARIABLE: written}
        with suppress(OSError):  # larger than it could be, and no worse otherwise
            os.execve(sys.executable, arguments, environ)  # noqa: S606
    run(orders)


def _is_command_line() -> bool:
    """Tell whether the interpreter would be asked again for what was asked now."""
    arguments = sys.argv[1:]
    return bool(arguments) and sys.orig_argv[-len(arguments) :] == arguments


def orders(environ: MutableMapping[str, str] = os.environ) -> Orders | None:
    """Take the orders out of the environment; None if this is not to be the daemon."""
    written = environ.pop(_VARIABLE, None)
    return None if written is None else Orders(**json.loads(written))


def run(orders: Orders) -> None:
    """Run the daemon. Raises SettingError, and OSError if the spool cannot be used."""
    from uploader import config, daemon, logs

    logs.configure(verbose=orders.verbose)
    daemon.run(lambda: config.load(orders.flags))
