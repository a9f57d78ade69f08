"""Events that were let go are known by their ids, from the moment that it is written down."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from telemetry_spool.paths import Directories
from telemetry_spool.releases import Releases, release
from tests.conftest import Place

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)


@pytest.fixture
def directories(place: Place) -> Directories:
    """Return the directories, which do not exist yet."""
    return Directories(place.root, place.spool)


def test_nothing_is_let_go_by_itself(directories: Directories) -> None:
    """And asking makes nothing."""
    assert "a" not in Releases(directories)
    assert not directories.root.exists()


def test_what_is_let_go_is_known_at_once(directories: Directories) -> None:
    """Also to who has asked before, on the same day and on another."""
    releases = Releases(directories)
    assert "a" not in releases

    release(directories, ["a", "b"], NOW)
    assert "a" in releases
    assert "b" in releases
    assert "c" not in releases

    release(directories, ["c"], NOW)
    assert "c" in releases
    release(directories, ["d"], NOW + timedelta(days=1))
    assert "d" in releases
    assert "a" in releases


@pytest.mark.parametrize("text", [b"\n", b"a\n", b"[]\n", b"{}\n", b"\xff\n", b"1\n"])
def test_what_is_no_release_lets_nothing_go(directories: Directories, text: bytes) -> None:
    """Somebody may have opened the file in an editor."""
    release(directories, ["a"], NOW)
    (path,) = directories.released.iterdir()
    path.write_bytes(text + path.read_bytes())
    release(directories, ["b"], NOW)
    releases = Releases(directories)

    assert "a" in releases
    assert "b" in releases
    assert "" not in releases


def test_a_release_that_cannot_be_read_lets_nothing_go(directories: Directories) -> None:
    """The private answer."""
    directory = directories.released / "2026-03-10.jsonl"
    directory.mkdir(parents=True)

    assert "a" not in Releases(directories)
