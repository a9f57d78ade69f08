"""The heartbeat: what an uploader said of itself, and whether it still runs."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from telemetry_spool.heartbeat import Activity, Heartbeat, is_alive, read, write

EXAMPLE = Heartbeat(
    pid=os.getpid(),
    host=os.uname().nodename,
    version="0.1.0",
    started=time.time(),
    updated_at="2026-03-10T12:00:00+00:00",
    endpoint="https://telemetry.example.org/api/v1/event",
    activity=Activity.WAITING,
    reason="HTTP 503",
    remedy="",
    next_attempt_at="2026-03-10T12:00:30+00:00",
    accepted=3,
    rejected=1,
    last_accepted_at=None,
)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    """It is made for whoever asks, in a file that `cat` and `jq` can show."""
    path = tmp_path / "status.json"

    write(path, EXAMPLE)

    assert read(path) == EXAMPLE
    assert json.loads(path.read_text())["activity"] == "waiting"


def test_a_root_that_was_deleted_is_not_made_again(tmp_path: Path) -> None:
    """A person who deletes everything has meant it."""
    with pytest.raises(FileNotFoundError):
        write(tmp_path / "root" / "status.json", EXAMPLE)

    assert list(tmp_path.iterdir()) == []


def test_a_heartbeat_is_private_and_replaces_the_one_before(tmp_path: Path) -> None:
    """Nothing else is left in the directory."""
    path = tmp_path / "status.json"
    write(path, EXAMPLE)
    write(path, replace(EXAMPLE, accepted=4))

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]
    assert read(path) == replace(EXAMPLE, accepted=4)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b'{"pid": 1', id="cut"),
        pytest.param(b"\xff\xfe", id="no text"),
        pytest.param(b"[]", id="array"),
        pytest.param(b"{}", id="nothing in it"),
        pytest.param(b'{"a": ' * 50_000, id="nested too deep"),
    ],
)
def test_what_cannot_be_understood_is_no_heartbeat(tmp_path: Path, content: bytes) -> None:
    """Whoever asks for the status still gets the rest of it."""
    path = tmp_path / "status.json"
    path.write_bytes(content)

    assert read(path) is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("pid", "1"),
        ("pid", -1),
        ("pid", 0),
        ("pid", 2**80),
        ("pid", 1.5),
        ("host", None),
        ("started", "now"),
        ("activity", 7),
        ("reason", None),
        ("next_attempt_at", 5),
        ("accepted", "many"),
    ],
)
def test_a_field_of_the_wrong_type_is_no_heartbeat(
    tmp_path: Path, field: str, value: object
) -> None:
    """A file that somebody edited must not end `status` in a traceback."""
    path = tmp_path / "status.json"
    write(path, EXAMPLE)
    path.write_text(json.dumps(json.loads(path.read_text()) | {field: value}))

    assert read(path) is None


def test_an_absent_file_is_no_heartbeat(tmp_path: Path) -> None:
    """No uploader has run here."""
    assert read(tmp_path / "status.json") is None


def test_a_field_of_a_later_version_is_passed_over(tmp_path: Path) -> None:
    """The command and the daemon may be of different versions."""
    path = tmp_path / "status.json"
    write(path, EXAMPLE)
    path.write_text(json.dumps(json.loads(path.read_text()) | {"mood": "good"}))

    assert read(path) == EXAMPLE


def test_this_process_is_alive() -> None:
    """Its heartbeat is younger than it is."""
    assert is_alive(EXAMPLE) is True


def test_an_uploader_that_said_goodbye_is_not_alive() -> None:
    """Whatever has its pid by now."""
    assert is_alive(replace(EXAMPLE, activity=Activity.STOPPED)) is False


def test_a_dead_process_is_not_alive() -> None:
    """It was killed before it could say anything."""
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()

    assert is_alive(replace(EXAMPLE, pid=child.pid)) is False


def test_a_pid_that_another_process_has_now_is_not_alive() -> None:
    """That process started after the heartbeat's uploader."""
    assert is_alive(replace(EXAMPLE, started=time.time() - 10 * 365 * 86_400)) is False


def test_of_another_host_nobody_knows() -> None:
    """Pids mean nothing there."""
    assert is_alive(replace(EXAMPLE, host="some-other-host")) is None


def test_a_stopped_uploader_of_another_host_is_not_alive() -> None:
    """It said so itself."""
    stopped = replace(EXAMPLE, host="some-other-host", activity=Activity.STOPPED)

    assert is_alive(stopped) is False


def test_a_clock_that_was_set_does_not_make_a_live_uploader_dead() -> None:
    """Its start seems to lie elsewhere then; that it spoke a moment ago counts."""
    now = datetime.now(tz=UTC).isoformat()
    long_ago = time.time() - 10 * 365 * 86_400

    assert is_alive(replace(EXAMPLE, started=long_ago, updated_at=now)) is True
