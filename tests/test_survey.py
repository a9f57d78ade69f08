"""The survey of a drop box: what is listed, what is moved aside, what is taken up."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path

import pytest

from uploader.dropbox import LEAST_CHARGE_BYTES, box_group, survey
from uploader.eviction import evict
from uploader.terms import Terms

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="giving files to other users takes root")

ALICE, MALLORY = 60002, 60004
MANY = 2**30
SEALED = "20260310T120000Z-{:016x}.jsonl"


@pytest.fixture
def box(tmp_path: Path) -> Path:
    """Return a drop box of ours."""
    tmp_path.chmod(0o3733)
    return tmp_path


def put(box: Path, name: str, owner: int, content: bytes = b"{}\n", group: int = -1) -> Path:
    """Put a file of a user's into the box."""
    path = box / name
    path.write_bytes(content)
    os.chown(path, owner, group)
    return path


def listed(box: Path, max_bytes: int = MANY) -> list[tuple[str, int]]:
    """Return names and owners of the segments that the survey finds."""
    return [(segment.name, segment.owner) for segment in survey(str(box), max_bytes)]


def test_only_a_proper_drop_box_has_a_group(box: Path) -> None:
    """Setgid and sticky, ours, with our own group."""
    assert box_group(str(box)) == os.getegid()
    for mode in (0o1733, 0o2733, 0o700):
        box.chmod(mode)
        assert box_group(str(box)) is None
    box.chmod(0o3733)
    os.chown(box, -1, ALICE)
    box.chmod(0o3733)
    assert box_group(str(box)) is None


def test_another_users_file_under_an_active_name_is_sealed_as_its_owners(box: Path) -> None:
    """It is listed at once, under the name that it has now."""
    put(box, f"host.{ALICE}.active.jsonl", MALLORY)

    ((name, owner),) = listed(box)

    assert owner == MALLORY
    assert name[:8].isdigit()
    assert os.listdir(box) == [name]


def test_what_is_no_file_gives_way_too(box: Path) -> None:
    """It stays, under a name that means nothing."""
    os.mkfifo(box / f"host.{ALICE}.active.jsonl")
    (box / f"{ALICE}.mode").mkdir()

    assert listed(box) == []
    assert all(name.startswith("aside-") for name in os.listdir(box))
    assert len(os.listdir(box)) == 2


def test_a_request_takes_its_place(box: Path) -> None:
    """The last one counts; of what stands there a directory moves aside, a file goes."""
    (box / f"{ALICE}.mode").mkdir()
    put(box, f"{ALICE}.mode.20260310T120000Z-0000000000000002", ALICE, b"off\n")
    put(box, f"{ALICE}.mode.20260310T120000Z-0000000000000001", ALICE, b"on\n")
    put(box, f"{ALICE}.mode.20260310T120000Z-0000000000000003", MALLORY, b"on\n")

    survey(str(box), MANY)

    assert (box / f"{ALICE}.mode").read_bytes() == b"off\n"
    assert (box / f"{ALICE}.mode").stat().st_uid == ALICE


def test_other_links_to_a_segment_go_and_foreign_links_are_moved_aside(box: Path) -> None:
    """One name of each segment stays; what was not made here is never unlinked."""
    native = put(box, SEALED.format(1), ALICE, group=os.getegid())
    os.link(native, box / SEALED.format(2))
    foreign = put(box, SEALED.format(3), ALICE, group=ALICE)
    os.link(foreign, box / "elsewhere")
    own = put(box, SEALED.format(4), os.geteuid(), group=os.getegid())
    os.link(own, box / "own")

    found = listed(box)

    assert len(found) == 1
    assert found[0][0] in (SEALED.format(1), SEALED.format(2))
    names = os.listdir(box)
    assert sum(name.startswith("aside-") for name in names) == 2
    assert {"elsewhere", "own", found[0][0]} < set(names)
    assert len(names) == 5


def test_nobody_fills_the_memory_with_segments(box: Path) -> None:
    """Of each owner some twice as many are listed as the quota has room for."""
    for number in range(50):
        put(box, SEALED.format(number), MALLORY)
    put(box, SEALED.format(99), ALICE)

    found = listed(box, max_bytes=10 * LEAST_CHARGE_BYTES)

    assert len(found) == 23
    assert (SEALED.format(99), ALICE) in found


def test_requests_for_others_cost_no_memory(box: Path) -> None:
    """And of a user's own only the last one stays."""
    for number in range(2000):
        put(box, f"{ALICE}.mode.20260310T120000Z-{number:016x}", MALLORY)
        put(box, f"{MALLORY}.mode.20260310T120000Z-{number:016x}", MALLORY, b"%d" % number)
    survey(str(box), MANY)
    tracemalloc.start()
    try:
        survey(str(box), MANY)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert most < 50_000
    assert (box / f"{MALLORY}.mode").read_bytes() == b"1999"
    assert len(os.listdir(box)) == 2001


def terms(owner: int) -> Terms:
    """Return terms with a quota of ten of the smallest segments."""
    return Terms(owner, None, 10 * LEAST_CHARGE_BYTES, os.getegid())


def test_the_oldest_of_each_owner_go(box: Path) -> None:
    """Small segments count a block each; what went is told, and what stays returned."""
    for number in range(12):
        put(box, SEALED.format(number), MALLORY, b"{}\n{}\n")
    put(box, SEALED.format(99), ALICE)
    lost: list[tuple[int, int]] = []

    kept, finished = evict(survey(str(box), MANY), terms, lambda *told: lost.append(told))

    assert finished
    assert lost == [(MALLORY, 2), (MALLORY, 2)]
    assert [segment.name for segment in kept] == sorted(os.listdir(box))
    assert len(kept) == 11


def test_a_sparse_file_costs_no_more_than_the_quota(box: Path) -> None:
    """Its lines are counted as far as the quota reaches."""
    path = put(box, SEALED.format(1), MALLORY, b"{}\n{}\n")
    os.truncate(path, 2**40)
    lost: list[tuple[int, int]] = []

    kept, finished = evict(survey(str(box), MANY), terms, lambda *told: lost.append(told))

    assert (kept, finished) == ([], True)
    assert lost == [(MALLORY, 3)]
    assert os.listdir(box) == []


def test_what_has_another_link_is_not_emptied(box: Path) -> None:
    """Between survey and eviction a name may have become another file's."""
    path = put(box, SEALED.format(1), MALLORY, b"{}\n" * 20_000, group=MALLORY)
    segments = survey(str(box), MANY)
    os.link(path, box / "elsewhere")

    kept, _ = evict(segments, terms, lambda *_: None)

    assert kept == []
    assert (box / "elsewhere").stat().st_size == 60_000


def test_a_segment_of_endless_lines_is_counted_as_far_as_one_of_a_writers_goes(box: Path) -> None:
    """Somebody who fills the quota with newlines must not keep the service from everybody else."""
    put(box, SEALED.format(1), MALLORY, b"a\n" * 300_000)
    lost: list[tuple[int, int]] = []
    roomy = Terms(MALLORY, None, 500_000, os.getegid())

    evict(survey(str(box), MANY), lambda _: roomy, lambda *told: lost.append(told))

    assert lost == [(MALLORY, 100_000)]
    assert os.listdir(box) == []
