"""Races of a writer with whoever renames or deletes the file it has just opened.

The other side acts between the writer's open and its lock, where a real race would strike.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from telemetry_spool import appending
from telemetry_spool.appending import Unsuitable, append_lines, delete_locked, try_lock
from tests.conftest import Place


@contextmanager
def between_open_and_lock(
    monkeypatch: pytest.MonkeyPatch, act: Callable[[], object], *, times: int = 1
) -> Iterator[None]:
    """Have `act` happen right after each of the first `times` opens of a writer."""
    really_open = vars(appending)["_open"]
    acts = iter([act] * times)

    def open_then_act(path: str) -> int:
        descriptor: int = really_open(path)
        if upcoming := next(acts, None):
            upcoming()
        return descriptor

    with monkeypatch.context() as patch:
        patch.setattr(appending, "_open", open_then_act)
        yield


def read_and_delete(path: Path) -> list[bytes]:
    """Do what an uploader does: lock, read to the end, delete; return the lines."""
    descriptor = os.open(path, os.O_RDWR)
    try:
        assert try_lock(descriptor)
        lines = path.read_bytes().splitlines()
        delete_locked(str(path), descriptor)
    finally:
        os.close(descriptor)
    return lines


def test_a_line_for_a_renamed_file_is_in_the_renamed_file(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sealing takes a late line along, and nothing is lost or doubled."""
    spool = place.open()
    spool.append(b'{"n": 0}')
    sealed = place.spool / "20260101T000000Z-0000000000000000.jsonl"

    with between_open_and_lock(monkeypatch, lambda: place.active().rename(sealed)):
        spool.append(b'{"n": 1}')
    spool.append(b'{"n": 2}')

    assert sealed.read_bytes() == b'{"n": 0}\n{"n": 1}\n'
    assert place.active().read_bytes() == b'{"n": 2}\n'


@pytest.mark.parametrize("mode", [0o700, 0o770], ids=["private", "group-writable"])
def test_a_line_for_a_deleted_file_goes_into_a_new_one(
    place: Place, monkeypatch: pytest.MonkeyPatch, mode: int
) -> None:
    """What was sealed, sent and deleted meanwhile does not take a late line with it."""
    place.spool.mkdir(parents=True)
    place.spool.chmod(mode)
    spool = place.open()
    spool.append(b'{"n": 0}')
    sealed = place.spool / "20260101T000000Z-0000000000000000.jsonl"
    sent: list[bytes] = []

    def seal_send_delete() -> None:
        place.active().rename(sealed)
        sent.extend(read_and_delete(sealed))

    with between_open_and_lock(monkeypatch, seal_send_delete):
        spool.append(b'{"n": 1}')

    assert sent == [b'{"n": 0}']
    assert place.names() == [place.active().name]
    assert place.lines() == [b'{"n": 1}']


def test_a_line_survives_several_deletions_in_a_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The writer opens the path again as often as the file goes away under it."""
    path = tmp_path / "file"

    with between_open_and_lock(monkeypatch, lambda: read_and_delete(path), times=3):
        append_lines(str(path), b"{}\n", shared=False)

    assert path.read_bytes() == b"{}\n"


def test_a_file_that_is_always_deleted_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A writer comes back even from a directory where nothing stays."""
    path = tmp_path / "file"

    with (
        between_open_and_lock(monkeypatch, lambda: read_and_delete(path), times=1000),
        pytest.raises(Unsuitable, match="again and again"),
    ):
        append_lines(str(path), b"{}\n")

    assert list(tmp_path.iterdir()) == []


def test_a_deleted_file_is_empty_before_its_name_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A writer that has it open recognises by its size that it must look again."""
    path = tmp_path / "file"
    path.write_bytes(b"{}\n")
    sizes: list[int] = []
    unlink = os.unlink

    def look_then_unlink(name: str) -> None:
        sizes.append(os.stat(name).st_size)
        unlink(name)

    monkeypatch.setattr(os, "unlink", look_then_unlink)
    read_and_delete(path)

    assert sizes == [0]
    assert not path.exists()


def test_sealing_leaves_alone_what_another_process_began_meanwhile(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line that came late for a full segment does not seal the nearly empty one after it."""
    spool = place.open(max_segment_bytes=4096)
    spool.append(b"x" * 2000)
    sealed = place.spool / "20260101T000000Z-0000000000000000.jsonl"

    def another_process_fills_seals_and_begins_anew() -> None:
        append_lines(str(place.active()), b"y" * 3000 + b"\n")
        place.active().rename(sealed)
        append_lines(str(place.active()), b'{"n": 1}\n')

    with between_open_and_lock(monkeypatch, another_process_fills_seals_and_begins_anew):
        spool.append(b'{"n": 0}')

    assert place.active().read_bytes() == b'{"n": 1}\n'
    assert [path.name for path in place.sealed()] == [sealed.name]
