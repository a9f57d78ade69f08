"""The parts of the demo that judge: what arrived, and whether a process is offline."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from demo import offline
from demo.evidence import Arrival, differences, event_id, event_types, receipt_differences
from demo.network import Endpoint, endpoint
from demo.stage import isolated_environment
from tests.conftest import DEADLINE_SECONDS

ENTER = b'{"event_type": "ENTER"}'
LEAVE = b'{"event_type": "LEAVE"}'
URL = "http://127.0.0.1:8080/api/v1/event"


def arrival(body: bytes, *, key: str | None = None, deliveries: int = 1) -> Arrival:
    """Return a row of the collector."""
    return Arrival(key or event_id(body), body, "2026-01-01T00:00:00+00:00", deliveries)


def receipt(line: bytes, url: str = URL) -> dict[str, str]:
    """Return what of a receipt the demo looks at."""
    return {"id": event_id(line), "endpoint": url}


def offline_command(port: int, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command through the script that proves that a port cannot be reached."""
    return subprocess.run(
        [sys.executable, "-P", offline.__file__, "127.0.0.1", str(port), *command],
        check=False,
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
    )


def test_the_same_events_in_another_order_are_no_difference() -> None:
    """Requests overtake each other."""
    assert differences([ENTER, LEAVE], [arrival(LEAVE), arrival(ENTER)]) == []


def test_a_missing_a_foreign_and_an_altered_event_are_each_named() -> None:
    """The comparison goes in both directions and looks at the bytes."""
    key = event_id(ENTER)

    found = differences([ENTER], [arrival(LEAVE, key=key)])

    assert found == [
        f"event {key[:12]} did not arrive",
        f"event {event_id(LEAVE)[:12]} arrived without having been spooled",
        f"event {key[:12]} has another body",
    ]


def test_a_second_delivery_is_a_difference() -> None:
    """Without a crash nothing may be sent twice."""
    assert differences([ENTER], [arrival(ENTER, deliveries=2)]) == [
        f"event {event_id(ENTER)[:12]} came twice"
    ]


def test_an_event_that_was_spooled_twice_must_arrive_twice() -> None:
    """One row for two lines means that one was lost."""
    assert differences([ENTER, ENTER], [arrival(ENTER)]) == [
        f"event {event_id(ENTER)[:12]} did not arrive"
    ]


def test_each_event_needs_one_receipt_that_names_the_endpoint() -> None:
    """A receipt for something else, or for another endpoint, is a difference."""
    assert receipt_differences([ENTER, LEAVE], [receipt(LEAVE), receipt(ENTER)], URL) == []
    assert receipt_differences([ENTER], [receipt(LEAVE, "http://elsewhere/")], URL) == [
        f"event {event_id(ENTER)[:12]} has no receipt",
        f"receipt {event_id(LEAVE)[:12]} is for no spooled event",
        f"receipt {event_id(LEAVE)[:12]} names http://elsewhere/",
    ]


def test_events_are_counted_by_type() -> None:
    """The demo expects as many LEAVE as ENTER events."""
    assert event_types([ENTER, ENTER, LEAVE]) == {"ENTER": 2, "LEAVE": 1}


def test_the_collectors_url_must_have_a_host_and_a_port() -> None:
    """Whatever else the first line is, the demo says so instead of going on."""
    assert endpoint(URL) == Endpoint(URL, "127.0.0.1", 8080)
    for line in ("", "Traceback (most recent call last):", "http://127.0.0.1", "http://a:b/"):
        assert endpoint(line) is None


def test_a_command_runs_once_the_port_is_proved_unreachable() -> None:
    """The proof is printed, then the process becomes the command."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]

    done = offline_command(port, "echo", "simulated")

    assert done.stdout == f"127.0.0.1:{port}: Connection refused\nsimulated\n"


def test_a_command_does_not_run_where_the_port_can_be_reached() -> None:
    """A proof that fails ends the demo."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        done = offline_command(port, "echo", "simulated")

    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == f"127.0.0.1:{port} can be reached from here\n"


def test_nothing_of_the_users_own_reaches_the_demo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process of the demo sees neither the home directory nor the settings of the caller."""
    settings = {"FLWR_TELEMETRY_ENABLED", "DO_NOT_TRACK", "HTTPS_PROXY", "RAY_ADDRESS"}
    for name in settings:
        monkeypatch.setenv(name, "1")
    show = "import json, os, pathlib; print(json.dumps([str(pathlib.Path.home()), *os.environ]))"

    done = subprocess.run(
        [sys.executable, "-c", show],
        env=isolated_environment(tmp_path),
        check=True,
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
    )

    home, *names = json.loads(done.stdout)
    assert home == str(tmp_path / "home")
    assert settings.isdisjoint(names)
