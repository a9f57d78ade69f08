"""Names: what each means, and that no name means two things."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import platformdirs
import pytest

from telemetry_spool import paths
from telemetry_spool.paths import Directories, Kind

NOON = datetime(2026, 3, 10, 12, 30, 59, 123456, tzinfo=UTC)
TOKEN = bytes(range(8))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("node-1.1000.active.jsonl", Kind.ACTIVE),
        ("node_1.1000.local.jsonl", Kind.ACTIVE_LOCAL),
        ("20260310T123059Z-0123456789abcdef.jsonl", Kind.SEALED),
        ("20260310T123059Z-0123456789abcdef.local.jsonl", Kind.SEALED_LOCAL),
        ("20260310T123059Z-0123456789abcdef.acked", None),
        ("20260310T123059Z-0123456789abcdef.tmp", None),
        ("20260310T123059Z-0123456789ABCDEF.jsonl", None),
        ("20260310T123059Z-0123456789abcde.jsonl", None),
        ("20260310T123059Z-0123456789abcdef.jsonl.gz", None),
        ("20260310T123059Z-0123456789abcdef.jsonl\n", None),
        ("x20260310T123059Z-0123456789abcdef.jsonl", None),
        ("node.1000.jsonl", None),
        ("node..active.jsonl", None),
        ("node.x.active.jsonl", None),
        ("a.b.1000.active.jsonl", None),
        (".1000.active.jsonl", None),
        ("uploader.lock", None),
        ("", None),
    ],
)
def test_a_name_tells_what_a_file_is(name: str, kind: Kind | None) -> None:
    """Everything that is not exactly a segment's name is somebody else's file."""
    assert paths.kind_of(name) == kind


@pytest.mark.parametrize("local", [False, True])
def test_names_that_are_made_are_understood(*, local: bool) -> None:
    """Writer and reader agree, in both modes."""
    active = paths.active_name("node-1", 1000, local=local)
    sealed = paths.sealed_name(NOON, TOKEN, local=local)
    temporary = paths.temporary_name(NOON, TOKEN, local=local)

    assert paths.kind_of(active) == (Kind.ACTIVE_LOCAL if local else Kind.ACTIVE)
    assert paths.kind_of(sealed) == (Kind.SEALED_LOCAL if local else Kind.SEALED)
    assert paths.kind_of(temporary) is None
    assert [paths.is_temporary(name) for name in (active, sealed, temporary)] == [
        False,
        False,
        True,
    ]
    assert paths.host_of(active) == "node-1"


@pytest.mark.parametrize(
    ("kind", "active", "local"),
    [
        (Kind.ACTIVE, True, False),
        (Kind.ACTIVE_LOCAL, True, True),
        (Kind.SEALED, False, False),
        (Kind.SEALED_LOCAL, False, True),
    ],
)
def test_a_kind_knows_whether_it_is_written_and_whether_it_may_leave(
    kind: Kind, *, active: bool, local: bool
) -> None:
    """The two questions that readers ask."""
    assert (kind.active, kind.local) == (active, local)


def test_names_of_sealed_segments_sort_by_time() -> None:
    """Also within one second, whatever the random part is."""
    earlier = [
        paths.sealed_name(NOON.replace(microsecond=microsecond), token, local=False)
        for microsecond, token in ((0, b"\xff" * 8), (1, b"\0" * 8), (999999, b"\x80" * 8))
    ]
    later = paths.sealed_name(NOON.replace(minute=31), b"\0" * 8, local=False)

    assert sorted([later, *reversed(earlier)]) == [*earlier, later]


def test_names_of_one_moment_differ_by_their_token() -> None:
    """Two processes may seal in the same microsecond."""
    names = {paths.sealed_name(NOON, bytes([n]) + b"\0" * 7, local=False) for n in range(256)}

    assert len(names) == 256


@pytest.mark.parametrize(
    ("node", "name"),
    [
        ("node-1.cluster.example", "node-1_cluster_example"),
        ("bücher/../x", "b_cher____x"),
        ("n" * 300, "n" * 64),
        ("", "_"),
    ],
)
def test_a_host_name_is_made_fit_for_a_file_name(
    monkeypatch: pytest.MonkeyPatch, node: str, name: str
) -> None:
    """No dot, no slash, nothing but ASCII, and short enough."""
    uname = os.uname()
    monkeypatch.setattr(
        os, "uname", lambda: os.uname_result((uname[0], node, uname[2], uname[3], uname[4]))
    )

    assert paths.host_name() == name
    assert paths.kind_of(paths.active_name(name, 0, local=False)) is Kind.ACTIVE


@pytest.mark.parametrize(
    ("name", "order"),
    [
        ("2026-03-10.jsonl", ("2026-03-10", 0)),
        ("2026-03-10.2.jsonl", ("2026-03-10", 2)),
        ("2026-03-10.10.jsonl", ("2026-03-10", 10)),
        ("2026-03-10.x.jsonl", None),
        ("2026-03-10.jsonl.bak", None),
        ("20260310.jsonl", None),
    ],
)
def test_a_daily_file_has_a_day_and_a_part(name: str, order: tuple[str, int] | None) -> None:
    """Parts are numbers: the tenth comes after the ninth."""
    assert paths.daily_order(name) == order


def test_daily_names_that_are_made_are_understood() -> None:
    """The first part has no number."""
    assert paths.daily_name(NOON) == "2026-03-10.jsonl"
    assert paths.daily_order(paths.daily_name(NOON, 3)) == ("2026-03-10", 3)


def test_progress_lies_beside_its_segment() -> None:
    """One name leads to the other and back; other files are no progress."""
    sealed = paths.sealed_name(NOON, TOKEN, local=False)

    assert paths.ack_name(sealed) == sealed.replace(".jsonl", ".acked")
    assert paths.acked_segment(paths.ack_name(sealed)) == sealed
    assert paths.acked_segment("notes.acked") is None
    assert paths.acked_segment(sealed) is None


def test_everything_lies_in_the_root_and_the_lock_in_the_spool() -> None:
    """The lock is where the segments are: it says whose they are."""
    directories = Directories(Path("/root"), Path("/elsewhere"))

    assert directories.rejected == Path("/root/rejected")
    assert directories.receipts == Path("/root/receipts")
    assert directories.status == Path("/root/status.json")
    assert directories.uploader_lock == Path("/elsewhere/uploader.lock")


@pytest.mark.skipif(os.uname().sysname == "Darwin", reason="macOS has directories of its own")
def test_directories_are_where_the_platform_puts_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """State, the user's settings and mode, then the site's settings."""
    monkeypatch.setenv("XDG_STATE_HOME", "/s")
    monkeypatch.setenv("XDG_CONFIG_HOME", "/c")
    monkeypatch.setenv("XDG_CONFIG_DIRS", "/site:/other")

    assert paths.default_root() == Path("/s/flwr-telemetry")
    assert paths.mode_file() == Path("/c/flwr-telemetry/mode")
    assert paths.config_files() == [
        Path("/c/flwr-telemetry/config.toml"),
        Path("/site/flwr-telemetry/config.toml"),
    ]


@pytest.mark.skipif(os.uname().sysname == "Darwin", reason="macOS has directories of its own")
@pytest.mark.parametrize("home", ["/h", "/h/", "/", "h", "", None])
@pytest.mark.parametrize("chosen", ["/x", "/x/", "x", " ", "", None])
def test_directories_are_those_of_platformdirs(
    monkeypatch: pytest.MonkeyPatch, home: str | None, chosen: str | None
) -> None:
    """Whatever the variables say, also where it is worked out without that library."""
    for name, value in {
        "HOME": home,
        "XDG_STATE_HOME": chosen,
        "XDG_CONFIG_HOME": chosen,
        "XDG_CONFIG_DIRS": chosen,
    }.items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    user, site = (
        find("flwr-telemetry")
        for find in (platformdirs.user_config_path, platformdirs.site_config_path)
    )

    assert paths.default_root() == platformdirs.user_state_path("flwr-telemetry")
    assert paths.mode_file() == user / "mode"
    assert paths.config_files() == [user / "config.toml", site / "config.toml"]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have other directories")
def test_a_process_that_knows_its_home_does_not_load_platformdirs(tmp_path: Path) -> None:
    """Each process of Flower's would pay for it."""
    code = (
        "import sys, telemetry_spool.flower as flower\n"
        "from telemetry_spool.recorder import default_recorder\n"
        "default_recorder()\n"
        "print('platformdirs' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout == "False\n"
