"""The ids in an event: random, checked as Flower checks them, made once."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from telemetry_spool.identity import flower_home, partner_id, source_id
from tests.conftest import DEADLINE_SECONDS, UNPRIVILEGED, run_python

SOURCE = "5f7d1f6c-1234-4000-8000-000000000000"

# Each process says that it is ready, then all begin when the one pipe they all read is closed.
CREATE_AT_ONCE = """
import os, sys
from telemetry_spool.identity import source_id
print("ready", flush=True)
sys.stdin.read()
print(source_id(create=True))
"""


def test_the_home_of_flower_can_be_chosen() -> None:
    """`FLWR_HOME`, else `~/.flwr`; set to nothing counts as unset."""
    assert flower_home({"FLWR_HOME": "/f"}) == Path("/f")
    assert flower_home({}) == Path(os.environ["HOME"]) / ".flwr"
    assert flower_home({"FLWR_HOME": ""}) == Path(os.environ["HOME"]) / ".flwr"


def test_a_source_id_is_read_from_flowers_file(tmp_path: Path) -> None:
    """The same machine stays the same source, with Flower's telemetry and with this."""
    (tmp_path / "source").write_text(SOURCE + "\n")

    assert source_id({"FLWR_HOME": str(tmp_path)}, create=True) == SOURCE
    assert (tmp_path / "source").read_text() == SOURCE + "\n"


def test_a_source_id_is_made_once(tmp_path: Path) -> None:
    """A random UUID, in a file of its own, in a directory that is made if need be."""
    environ = {"FLWR_HOME": str(tmp_path / "new" / "home")}

    first = source_id(environ, create=True)
    second = source_id(environ, create=True)

    assert uuid.UUID(first).version == 4
    assert second == first
    assert [path.name for path in (tmp_path / "new" / "home").iterdir()] == ["source"]
    assert (tmp_path / "new" / "home" / "source").read_text() == first


def test_looking_makes_no_source_id(tmp_path: Path) -> None:
    """Where events are not recorded, no file appears."""
    home = tmp_path / "home"

    assert source_id({"FLWR_HOME": str(home)}, create=False) == "unavailable"
    assert not home.exists()


@pytest.mark.parametrize("content", [b"", b"rubbish", b"\xff\xfe", b"5f7d1f6c-1234"])
def test_a_source_that_is_no_uuid_is_said_to_be_invalid_or_unavailable(
    tmp_path: Path, content: bytes
) -> None:
    """And stays as it is: somebody put it there."""
    (tmp_path / "source").write_bytes(content)

    source = source_id({"FLWR_HOME": str(tmp_path)}, create=True)

    assert source == ("unavailable" if content.startswith(b"\xff") else "invalid")
    assert (tmp_path / "source").read_bytes() == content


def test_a_home_below_a_file_is_unavailable(tmp_path: Path) -> None:
    """Flower loses such events; here they only lack the source."""
    (tmp_path / "file").write_bytes(b"")

    assert source_id({"FLWR_HOME": str(tmp_path / "file")}, create=True) == "unavailable"


def test_a_home_that_cannot_be_written_is_unavailable(reachable: Path) -> None:
    """Nothing is left in it."""
    reachable.chmod(0o555)

    done = run_python(
        f"{UNPRIVILEGED}\nfrom telemetry_spool.identity import source_id\n"
        "print(source_id(create=True))",
        environ={"FLWR_HOME": str(reachable)},
    )

    assert done.stdout == "unavailable\n"
    assert list(reachable.iterdir()) == []


def test_processes_at_once_read_one_source_id(tmp_path: Path) -> None:
    """Sixteen that find no file agree on the one that is made, and none reads half of it."""
    home = tmp_path / "home"
    reader, writer = os.pipe()
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", CREATE_AT_ONCE],
            env=os.environ | {"FLWR_HOME": str(home)},
            stdin=reader,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(16)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"

    os.close(writer)
    answers = [process.communicate(timeout=DEADLINE_SECONDS)[0] for process in processes]

    os.close(reader)
    assert set(answers) == {(home / "source").read_text() + "\n"}
    assert [path.name for path in home.iterdir()] == ["source"]


def test_the_first_of_two_processes_makes_the_source_id(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file appears with its content at once; who comes second takes it."""
    link = os.link

    def be_late(source: Path, target: Path) -> None:
        assert not target.exists()
        target.write_text(SOURCE)
        link(source, target)

    monkeypatch.setattr(os, "link", be_late)

    assert source_id({"FLWR_HOME": str(tmp_path)}, create=True) == SOURCE
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


@pytest.mark.parametrize(
    ("partner", "shown"),
    [
        (None, "unavailable"),
        ("", "unavailable"),
        (SOURCE, SOURCE),
        (SOURCE.upper(), SOURCE.upper()),
        ("partner", "invalid"),
        (SOURCE[:-1], "invalid"),
    ],
)
def test_a_partner_id_is_valid_invalid_or_unavailable(partner: str | None, shown: str) -> None:
    """As in Flower."""
    environ = {} if partner is None else {"FLWR_TELEMETRY_PARTNER_ID": partner}

    assert partner_id(environ) == shown
