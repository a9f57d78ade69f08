"""Fork a process for every attempt, ready to go and waiting for the word: `crash_server SOCKET`.

Starting an interpreter and importing costs far more than what is to be killed. So one process has
everything loaded and forks; each child says its pid, waits until somebody has attached to it, and
does one thing, reporting every step that has returned.
"""

from __future__ import annotations

import encodings.idna  # noqa: F401 - loaded by the first request otherwise
import json
import logging
import os
import resource
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import platformdirs.unix  # noqa: F401 - loaded by the first look at a directory otherwise
from typer.main import get_command

from telemetry_spool import cli as spool_cli
from telemetry_spool import consent, paths
from telemetry_spool.recorder import Recorder
from telemetry_spool.spool import Spool
from telemetry_spool.writer_settings import writer_config
from uploader import config, once

Report = Callable[[str], None]
Arguments = dict[str, Any]
Action = Callable[[Report], None]


def append(arguments: Arguments) -> Action:
    """Append each event; report it when `append()` has returned."""
    spool = Spool(writer_config())

    def run(report: Report) -> None:
        for event in arguments["events"]:
            spool.append(event.encode(), local=arguments.get("local", False))
            report(event)

    return run


def record(arguments: Arguments) -> Action:
    """Record each event as `event()` does; report those that were spooled."""
    recorder = Recorder(writer_config())

    def run(report: Report) -> None:
        for event in arguments["events"]:
            if recorder.record(event.encode(), recorder.consent().mode):
                report(event)

    return run


def append_beyond_a_limit(arguments: Arguments) -> Action:
    """Append each event to files that may not grow past some bytes: the last is cut short."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (arguments["bytes"], resource.RLIM_INFINITY))
    spool = Spool(writer_config())

    def run(report: Report) -> None:
        for event in arguments["events"]:
            try:
                spool.append(event.encode())
            except OSError:
                continue
            report(event)

    return run


def choose(arguments: Arguments) -> Action:
    """Choose a mode, as `telemetry-spool off` does."""
    mode_file = paths.mode_file()
    assert mode_file is not None

    def run(_: Report) -> None:
        consent.choose(mode_file, consent.Mode(arguments["mode"]))

    return run


def drain(arguments: Arguments) -> Action:
    """Drain the spool once; report how it ended."""
    loaded = config.load({"endpoint": arguments["endpoint"]})

    def run(report: Report) -> None:
        report(once.drain(loaded, 5.0, lambda _: None).ending.value)

    return run


def carry(arguments: Arguments) -> Action:
    """Run a command of `telemetry-spool`; what it says goes nowhere."""
    spool_command = get_command(spool_cli.app)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.dup2(nowhere, sys.stderr.fileno())

    def run(_: Report) -> None:
        with suppress(SystemExit):
            spool_command(arguments["command"], standalone_mode=False)

    return run


def recover(arguments: Arguments) -> Action:
    """Start again after a crash: a new writer appends, a new uploader drains."""
    write, send = append(arguments), drain(arguments)

    def run(report: Report) -> None:
        write(report)
        send(report)

    return run


ACTIONS: dict[str, Callable[[Arguments], Action]] = {
    action.__name__: action
    for action in (append, record, append_beyond_a_limit, choose, carry, drain, recover)
}


def _serve_one(connection: socket.socket) -> None:
    with connection.makefile("r", encoding="utf-8") as commands:
        command = json.loads(commands.readline())

        def say(*words: str) -> None:
            # Not write(2): what is said must not count among the calls that may be killed.
            connection.sendall(json.dumps(words).encode() + b"\n")

        os.environ.clear()
        os.environ.update(command["environ"])
        try:
            run = ACTIONS[command["action"]](command["arguments"])
            say("ready", str(os.getpid()))
            if commands.readline():
                run(lambda what: say("returned", what))
                say("done")
        except BaseException:  # noqa: BLE001 - whatever it is, the test is to show it
            say("failed", traceback.format_exc())


def main(path: str) -> None:
    """Serve until killed."""
    logging.disable()  # every attempt has the same warnings
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # children are reaped by themselves
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(64)
        print("listening", flush=True)  # noqa: T201 - the sign that it may be connected to
        while True:
            connection, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                _serve_one(connection)
                os._exit(0)
            connection.close()


if __name__ == "__main__":
    main(sys.argv[1])
