"""Several owners' backlogs: one line of each in turn."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from telemetry_spool.listing import list_segments
from telemetry_spool.paths import Kind
from tests.test_backlog import put
from uploader.gates import Owner
from uploader.pieces import Piece
from uploader.sendable import SENDABLE
from uploader.suspects import Suspects
from uploader.terms import PRIVATE, Terms
from uploader.turns import Turns

takes_root = pytest.mark.skipif(os.geteuid() != 0, reason="giving files to users takes root")

NOTHING: frozenset[Kind] = frozenset()


@pytest.fixture
def turns() -> Iterator[Turns]:
    """Return the backlogs of nobody yet."""
    subject = Turns(limit=2**16)
    yield subject
    subject.close()


def refresh(turns: Turns, directory: Path, owners: dict[str, int]) -> None:
    """Let the backlogs look at a directory whose segments belong to these owners."""
    turns.refresh(
        list_segments(str(directory)), lambda found: owners[found.name], lambda _: PRIVATE
    )


def everybody(_: Owner) -> frozenset[Kind]:
    """Admit every owner."""
    return SENDABLE


def taken(turns: Turns, admit: Callable[[Owner], frozenset[Kind]] = everybody) -> list[bytes]:
    """Take lines until there are none."""
    return [piece.data for piece in iter(lambda: turns.take(admit), None)]


def test_owners_take_turns(turns: Turns, tmp_path: Path) -> None:
    """Whoever has more is served longer, and not sooner."""
    first = put(tmp_path, 1, b"a1", b"a2", b"a3", b"a4")
    second = put(tmp_path, 2, b"b1", b"b2")
    refresh(turns, tmp_path, {first.name: 1, second.name: 2})

    order = taken(turns)

    assert sorted(order[:2]) == [b"a1", b"b1"]
    assert sorted(order[2:4]) == [b"a2", b"b2"]
    assert order[4:] == [b"a3", b"a4"]


def test_an_owner_who_is_not_admitted_is_passed_by(turns: Turns, tmp_path: Path) -> None:
    """And not forgotten: the events stay."""
    first, second = put(tmp_path, 1, b"a"), put(tmp_path, 2, b"b")
    refresh(turns, tmp_path, {first.name: 1, second.name: 2})

    assert taken(turns, lambda owner: SENDABLE if owner == 2 else NOTHING) == [b"b"]
    assert list(turns.busy()) == [1, 2]
    assert taken(turns) == [b"a"]


def test_what_one_owner_allows_is_not_what_another_does(turns: Turns, tmp_path: Path) -> None:
    """A user of mode `local` has only sent what was released."""
    released = tmp_path / "20260310T120001Z-0000000000000001.released.jsonl"
    released.write_bytes(b"a\n")
    first, second = put(tmp_path, 2, b"b"), put(tmp_path, 3, b"c")
    refresh(turns, tmp_path, {released.name: 1, first.name: 1, second.name: 2})
    chosen = {1: frozenset({Kind.RELEASED}), 2: SENDABLE}

    assert sorted(taken(turns, lambda owner: chosen[owner or 0])) == [b"a", b"c"]

    turns.allow(frozenset({Kind.RELEASED}))
    assert taken(turns) == []


def test_an_owner_who_allows_nothing_that_waits_is_not_busy(turns: Turns, tmp_path: Path) -> None:
    """Else a single run would wait for ever for a user of mode `local`."""
    path = put(tmp_path, 1, b"a")
    refresh(turns, tmp_path, {path.name: 1})

    assert taken(turns, lambda _: frozenset({Kind.RELEASED})) == []
    assert (list(turns.busy()), turns.exhausted, turns.kept) == ([], True, True)

    assert taken(turns) == [b"a"]


def test_owners_without_segments_are_forgotten(turns: Turns, tmp_path: Path) -> None:
    """Else each user who ever had one would cost something for ever."""
    path = put(tmp_path, 1, b"a")
    refresh(turns, tmp_path, {path.name: 1})
    path.unlink()

    refresh(turns, tmp_path, {})

    assert (turns.segments, turns.empty, turns.kept) == (0, True, False)
    assert taken(turns) == []


def refresh_shared(turns: Turns, directory: Path, owners: Iterable[int]) -> None:
    """Let the backlogs look at a drop box with a segment of each of these users in it."""
    for owner in owners:
        os.chown(put(directory, owner, b"%d" % owner), owner, -1)
    turns.refresh(
        list_segments(str(directory)),
        lambda found: found.owner,
        lambda owner: Terms(owner, str(directory)),
    )


@takes_root
def test_those_who_wait_use_up_no_descriptors(
    turns: Turns, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the endpoint is down each user's probe would leave a file open, of which few may be."""
    monkeypatch.setattr("uploader.turns.MOST_OPEN", 2)
    owners = range(1, 9)
    refresh_shared(turns, tmp_path, owners)
    before = len(os.listdir("/proc/self/fd"))

    for _ in range(3):
        for piece in iter_once(turns, len(owners)):
            turns.again(piece)
            turns.rest_if_crowded(piece.reading.turn)

    assert len(os.listdir("/proc/self/fd")) <= before + 2
    assert sorted(taken(turns)) == [b"%d" % number for number in range(1, 9)]


@takes_root
def test_an_event_stays_suspect_when_its_segment_is_opened_again(
    turns: Turns, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It failed twice, and others were answered meanwhile."""
    monkeypatch.setattr("uploader.turns.MOST_OPEN", 0)
    refresh_shared(turns, tmp_path, range(1, 3))
    suspects = Suspects(lambda: 0.5)
    bad, good = iter_once(turns, 2)
    assert not suspects.failed(bad)
    turns.again(bad)
    turns.rest_if_crowded(bad.reading.turn)
    suspects.answered([good])

    (again,) = iter_once(turns, 1)

    assert again.reading is not bad.reading
    assert suspects.failed(again)


def iter_once(turns: Turns, count: int) -> list[Piece]:
    """Take so many lines."""
    pieces = [turns.take(everybody) for _ in range(count)]
    return [piece for piece in pieces if piece is not None]


def test_in_a_shared_spool_nothing_is_taken_without_asking_its_owner(
    turns: Turns, tmp_path: Path
) -> None:
    """Whoever switches telemetry off between two requests of theirs has meant the second."""
    segment = put(tmp_path, 1, b'{"n": 1}', b'{"n": 2}')
    refresh(turns, tmp_path, {segment.name: 1})

    assert turns.take(everybody) is not None
    assert turns.take_read(10) == []


def test_in_a_private_spool_more_is_taken_at_once(tmp_path: Path, turns: Turns) -> None:
    """What is in memory already is at hand."""
    put(tmp_path, 1, b'{"n": 1}', b'{"n": 2}', b'{"n": 3}')
    turns.refresh(list_segments(str(tmp_path)), lambda _: None, lambda _: PRIVATE)

    assert turns.take(everybody) is not None
    assert [piece.data for piece in turns.take_read(10)] == [b'{"n": 2}', b'{"n": 3}']
