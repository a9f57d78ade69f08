"""Emit an event in every kind of process and thread that a training script starts.

Usage: children.py MODULE
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from multiprocessing import get_context
from threading import Thread
from typing import Any


def emit(module: str, origin: str) -> None:
    """Emit one event that names where it comes from."""
    telemetry: Any = import_module(module)
    telemetry.event(telemetry.EventType.PING, {"from": origin})


def main(module: str) -> None:
    """Start them all, one after the other, and wait for each."""
    fork_and_emit(module, "os.fork before the first event")
    emit(module, "parent")
    fork_and_emit(module, "os.fork")
    for context in (get_context("fork"), get_context("spawn"), get_context("forkserver")):
        origin = f"multiprocessing {context.get_start_method()}"
        child = context.Process(target=emit, args=(module, origin))
        child.start()
        child.join()
    thread = Thread(target=emit, args=(module, "thread"))
    thread.start()
    thread.join()


def fork_and_emit(module: str, origin: str) -> None:
    """Emit in a child that ends at once, without Python's shutdown."""
    child = os.fork()
    if child == 0:
        emit(module, origin)
        os._exit(0)
    os.waitpid(child, 0)


if __name__ == "__main__":
    main(sys.argv[1])
