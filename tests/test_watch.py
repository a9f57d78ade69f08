"""The doorbell: what rings it, what does not, and when it rings by the clock."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

import pytest

from tests.conftest import DEADLINE_SECONDS
from uploader import watch
from uploader.watch import Watch

SEALED = "20260310T120000Z-0123456789abcdef"
SOON = 0.5
"""Seconds after which what has not rung will not: reports take some milliseconds."""


class Bell:
    """Counts rings."""

    def __init__(self) -> None:
        self.rings = 0
        self.names: list[str] = []
        self._rung = threading.Event()

    def ring(self, name: str) -> None:
        """Ring."""
        self.rings += 1
        self.names.append(name)
        self._rung.set()

    def rang(self, seconds: float = DEADLINE_SECONDS) -> bool:
        """Wait for a ring."""
        return self._rung.wait(seconds)


@pytest.fixture
def bell(tmp_path: Path) -> Iterator[Bell]:
    """Return a bell that the test's directory rings."""
    bell = Bell()
    with closing(Watch(tmp_path, 3600.0, bell.ring)):
        yield bell


@pytest.mark.parametrize(
    "name", [f"{SEALED}.jsonl", "host.1000.active.jsonl", "unknown", "1000.mode"]
)
def test_a_new_file_rings(bell: Bell, tmp_path: Path, name: str) -> None:
    """An unknown one as well: it may stand for reports that were dropped."""
    (tmp_path / name).write_bytes(b"{}\n")
    assert bell.rang()
    assert set(bell.names) == {name}


def test_what_is_renamed_into_the_directory_rings(
    bell: Bell, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """As an import does it."""
    outside = tmp_path_factory.mktemp("outside") / "segment"
    outside.write_bytes(b"{}\n")
    outside.rename(tmp_path / f"{SEALED}.jsonl")
    assert bell.rang()


def test_half_of_a_rename_holds_nothing_back(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other half may be reported later: a seal of ours delays no event after it."""
    waits: list[float] = []
    clock = SimpleNamespace(monotonic=time.monotonic, time=time.time, sleep=waits.append)
    monkeypatch.setattr("watchdog.utils.delayed_queue.time", clock)
    bell = Bell()
    (tmp_path / "old").write_bytes(b"{}\n")
    with closing(Watch(tmp_path, 3600.0, bell.ring)):
        (tmp_path / "old").rename(tmp_path_factory.mktemp("outside") / "new")
        (tmp_path / f"{SEALED}.jsonl").write_bytes(b"{}\n")
        assert bell.rang()

    assert waits == []


@pytest.mark.parametrize("name", [f"{SEALED}.acked", f"{SEALED}.tmp"])
def test_the_uploaders_own_writing_does_not_ring(bell: Bell, tmp_path: Path, name: str) -> None:
    """It would wake itself up for ever."""
    (tmp_path / name).write_bytes(b"0")
    assert not bell.rang(SOON)


def test_a_directory_that_is_watched_is_not_polled(tmp_path: Path) -> None:
    """There is nothing to wake up for."""
    bell = Bell()
    with closing(Watch(tmp_path, 0.1, bell.ring)) as watching:
        assert watching.notice == ""
        assert watching.poll() == math.inf
    assert bell.rings == 0


def test_a_silent_file_system_is_polled_and_watched(tmp_path: Path) -> None:
    """What this machine writes there is reported at once all the same."""
    bell, now = Bell(), 100.0
    with (
        patch.object(watch, "silent_type", lambda _: "nfs4"),
        patch.object(time, "monotonic", lambda: now),
        closing(Watch(tmp_path, 5.0, bell.ring)) as watching,
    ):
        assert "is on nfs4" in watching.notice
        assert watching.poll() == 5.0
        assert bell.rings == 0
        now = 105.0
        assert watching.poll() == 5.0
        assert bell.names == [""]
        now = 106.0
        assert watching.poll() == 4.0
        assert bell.rings == 1
        (tmp_path / f"{SEALED}.jsonl").write_bytes(b"{}\n")
        assert bell.rang()


def test_a_machine_without_threads_is_polled(tmp_path: Path) -> None:
    """A watch takes some, and the user may have no more."""
    with (
        patch.object(threading.Thread, "start", side_effect=RuntimeError("can't start new thread")),
        closing(Watch(tmp_path, 5.0, Bell().ring)) as watching,
    ):
        assert "cannot be watched (can't start new thread)" in watching.notice
        assert watching.poll() <= 5.0
