"""What the daemon tells a service manager, on the wire; and that it can do without one."""

from __future__ import annotations

import os
import socket
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.manager import Manager, listening
from uploader.notify import Notifier

PID = os.getpid()


@pytest.mark.parametrize("abstract", [False, True])
def test_the_first_word_is_ready(tmp_path: Path, *, abstract: bool) -> None:
    """With what it does; from then on only what is new is said."""
    with listening(tmp_path / "notify", abstract=abstract) as manager:
        notifier = Notifier(dict(manager.environ), PID)
        notifier.ready("idle")
        notifier.ready("idle")
        notifier.ready("sending")

        assert manager.hear() == {"READY": "1", "STATUS": "idle"}
        assert manager.hear() == {"STATUS": "sending"}
        assert manager.hears_nothing("STATUS", seconds=0.05)


def test_a_reload_is_announced_with_the_time_and_ends_with_ready(tmp_path: Path) -> None:
    """`Type=notify-reload` compares the time with that of its request."""
    with listening(tmp_path / "notify") as manager:
        notifier = Notifier(dict(manager.environ), PID)
        notifier.ready("idle")
        before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        notifier.reloading()
        notifier.ready()
        after = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000

        manager.hear()
        announced = manager.hear()
        assert announced["RELOADING"] == "1"
        assert before <= int(announced["MONOTONIC_USEC"]) <= after
        assert manager.hear() == {"READY": "1", "STATUS": "idle"}


def test_stopping_is_said_once(tmp_path: Path) -> None:
    """However often the main loop comes by."""
    with listening(tmp_path / "notify") as manager:
        notifier = Notifier(dict(manager.environ), PID)
        notifier.stopping()
        notifier.stopping()

        assert manager.hear()["STOPPING"] == "1"
        assert manager.hears_nothing("STOPPING", seconds=0.05)


def test_a_status_is_one_line(tmp_path: Path) -> None:
    """An endpoint's words must not become a variable of their own."""
    with listening(tmp_path / "notify") as manager:
        Notifier(dict(manager.environ), PID).ready("HTTP 503\nWATCHDOG=trigger")

        message = manager.hear()
        assert message.keys() == {"READY", "STATUS"}


def watched(manager: Manager, **variables: str) -> Notifier:
    """Return what notifies a manager that has asked for signs of life."""
    return Notifier({**manager.environ, **variables}, PID)


@pytest.mark.parametrize("watchdog_pid", [{}, {"WATCHDOG_PID": str(PID)}])
def test_a_sign_of_life_is_given_three_times_as_often_as_asked(
    tmp_path: Path, watchdog_pid: dict[str, str]
) -> None:
    """And no more often than that, though the main loop comes by all the time."""
    with listening(tmp_path / "notify") as manager:
        notifier = watched(manager, WATCHDOG_USEC="90000000", **watchdog_pid)
        assert notifier.interval == 30.0
        for _ in range(3):
            notifier.alive()

        assert manager.hear() == {"WATCHDOG": "1"}
        assert manager.hears_nothing("WATCHDOG", seconds=0.05)


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"WATCHDOG_USEC": "0"},
        {"WATCHDOG_USEC": "soon"},
        {"WATCHDOG_USEC": "90000000", "WATCHDOG_PID": str(PID + 1)},
    ],
)
def test_nobody_who_waits_for_none_gets_a_sign_of_life(
    tmp_path: Path, variables: dict[str, str]
) -> None:
    """The main loop does not wake up for it either, but for the first time round."""
    with listening(tmp_path / "notify") as manager:
        notifier = watched(manager, **variables)

        assert notifier.interval == float("inf")


def test_the_variables_are_no_child_of_ours(tmp_path: Path) -> None:
    """A child that notifies would be taken for the daemon."""
    environ = {
        "NOTIFY_SOCKET": str(tmp_path / "notify"),
        "WATCHDOG_USEC": "1000000",
        "WATCHDOG_PID": str(PID),
        "HOME": "/",
    }
    Notifier(environ, PID)

    assert environ == {"HOME": "/"}


@pytest.mark.parametrize("address", ["", "/nowhere/at/all", "vsock:2:1234", "@", "x" * 5000])
def test_without_a_manager_nothing_happens(address: str) -> None:
    """No error, whatever the variable says."""
    notifier = Notifier({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "1"}, PID)
    notifier.ready("idle")
    notifier.alive()
    notifier.reloading()
    notifier.stopping()


def test_a_manager_that_does_not_read_is_not_waited_for(tmp_path: Path) -> None:
    """Whatever its queue holds: the daemon goes on."""
    with listening(tmp_path / "notify") as manager:
        manager.channel.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
            other.setblocking(False)
            with suppress(BlockingIOError):
                while True:
                    other.sendto(b"X=1", manager.address)

        Notifier(dict(manager.environ), PID).ready("idle")
