"""The spool: what is an event, when a segment is sealed, what `local` means for a name."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

import telemetry_spool
from telemetry_spool import EventTooLarge, NotOneLine, Spool, SpoolError
from telemetry_spool.dropbox import is_shared
from telemetry_spool.paths import Kind
from telemetry_spool.paths import kind_of as kind
from telemetry_spool.writer_settings import writer_config
from tests.conftest import Place

SEALED = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{16}\.jsonl")


def test_opening_a_spool_makes_nothing(place: Place) -> None:
    """Directories come with the first event."""
    place.open()

    assert not place.root.exists()


def test_an_event_that_is_too_long_is_refused(place: Place) -> None:
    """The longest event that is allowed goes in, one byte more does not."""
    spool = place.open(max_event_bytes=1024)

    spool.append(b"x" * 1024)
    with pytest.raises(EventTooLarge, match="1025 bytes is longer than max_event_bytes = 1024"):
        spool.append(b"y" * 1025)

    assert place.lines() == [b"x" * 1024]


@pytest.mark.parametrize("line", [b"", b"\n", b"{}\n", b"{}\n{}"])
def test_what_is_not_one_line_is_refused(place: Place, line: bytes) -> None:
    """An empty line or one with a newline would be no event or two for the reader."""
    with pytest.raises(NotOneLine):
        place.open().append(line)

    assert not place.root.exists()


def test_refusals_have_one_base_class() -> None:
    """A caller of `Spool.append` can tell its own mistakes from an OSError."""
    assert issubclass(EventTooLarge, SpoolError)
    assert issubclass(NotOneLine, SpoolError)
    assert not issubclass(SpoolError, OSError)


def test_a_full_segment_is_sealed_under_a_name_that_sorts_by_time(place: Place) -> None:
    """The event that fills a segment is its last one; the next begins another."""
    times = iter(datetime(2026, 1, 2, 3, 4, second, tzinfo=UTC) for second in range(60))
    config = writer_config(place.environ | {"FLWR_TELEMETRY_MAX_SEGMENT_BYTES": "4096"})
    spool = Spool(config, now=lambda: next(times))
    events = [b"%04d" % number + b"x" * 1019 for number in range(9)]

    for event in events:
        spool.append(event)

    first, second = place.sealed()
    assert first.name.startswith("20260102T030400Z-")
    assert second.name.startswith("20260102T030401Z-")
    assert [SEALED.fullmatch(path.name) is not None for path in (first, second)] == [True, True]
    assert first.read_bytes().splitlines() == events[:4]
    assert second.read_bytes().splitlines() == events[4:8]
    assert place.active().read_bytes().splitlines() == events[8:]


def test_a_segment_is_sealed_when_another_such_event_has_no_room(place: Place) -> None:
    """Two of half the limit are together, and of one byte more each is by itself."""
    spool = place.open(max_segment_bytes=4096)

    spool.append(b"x" * 2047)
    below = place.names()
    spool.append(b"y" * 2047)
    spool.append(b"z" * 2048)

    assert below == [place.active().name]
    assert [path.stat().st_size for path in place.sealed()] == [4096, 2049]
    assert not place.active().exists()


def test_a_seal_that_fails_is_tried_again_by_the_next_event(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An event whose line is in the file is not lost because the rename failed."""
    spool = place.open(max_segment_bytes=4096)

    def rename(*_: object) -> None:
        raise OSError("Disk quota exceeded")

    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", rename)
        spool.append(b"x" * 5000)
    unsealed = place.sealed()
    spool.append(b"y")

    assert unsealed == []
    assert [path.read_bytes() for path in place.sealed()] == [b"x" * 5000 + b"\ny\n"]


def test_local_events_are_kept_apart(place: Place) -> None:
    """What was recorded in mode `local` can be told by its file's name, active and sealed."""
    spool = place.open(max_segment_bytes=4096)

    spool.append(b"x" * 4096, local=True)
    spool.append(b'{"n": 1}', local=True)
    spool.append(b'{"n": 2}')

    found = {kind(name): (place.spool / name).read_bytes() for name in place.names()}
    assert found == {
        Kind.SEALED_LOCAL: b"x" * 4096 + b"\n",
        Kind.ACTIVE_LOCAL: b'{"n": 1}\n',
        Kind.ACTIVE: b'{"n": 2}\n',
    }


def test_local_events_alone_in_a_file_are_local_too(place: Place) -> None:
    """The fallback must not turn a local event into one that is uploaded."""
    place.spool.mkdir(parents=True)
    active = place.active()
    active.with_name(active.name.replace(".active.", ".local.")).mkdir()

    place.open().append(b'{"n": 1}', local=True)

    assert [kind(path.name) for path in place.sealed()] == [Kind.SEALED_LOCAL]


def test_the_spool_can_lie_elsewhere(place: Place, tmp_path: Path) -> None:
    """`spool_dir` moves the segments and leaves the rest in the root."""
    elsewhere = tmp_path / "elsewhere"

    place.open(spool_dir=elsewhere).append(b"{}")

    assert [path.name for path in elsewhere.iterdir()] == [place.active().name]
    assert not place.spool.exists()


def test_a_directory_deleted_between_events_is_made_again(place: Place) -> None:
    """A running process survives somebody's clean-up."""
    spool = place.open()
    spool.append(b'{"n": 0}')
    place.active().unlink()
    place.spool.rmdir()
    place.root.rmdir()

    spool.append(b'{"n": 1}')

    assert place.lines() == [b'{"n": 1}']


def test_an_event_given_to_a_spool_opened_before_a_fork_is_recorded_in_both(place: Place) -> None:
    """A spool holds nothing that a fork could break."""
    spool = place.open()
    spool.append(b'{"n": 0}')

    child = os.fork()
    if child == 0:
        spool.append(b'{"n": 1}')
        os._exit(0)
    os.waitpid(child, 0)
    spool.append(b'{"n": 2}')

    assert place.lines() == [b'{"n": 0}', b'{"n": 1}', b'{"n": 2}']


@pytest.mark.parametrize(
    ("mode", "shared"), [(0o700, False), (0o755, False), (0o770, True), (0o1777, True)]
)
def test_a_directory_that_others_may_write_is_shared(
    tmp_path: Path, mode: int, *, shared: bool
) -> None:
    """Where others can put files, each append proves that the file is this user's."""
    tmp_path.chmod(mode)

    assert is_shared(str(tmp_path)) == shared


def test_a_directory_that_is_not_there_yet_will_not_be_shared(tmp_path: Path) -> None:
    """This user will make it, with mode 0700."""
    assert is_shared(str(tmp_path / "absent")) is False


def test_the_package_gives_what_it_lists() -> None:
    """Every public name resolves, and another one is an AttributeError."""
    missing = [name for name in telemetry_spool.__all__ if not hasattr(telemetry_spool, name)]

    assert missing == []
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = telemetry_spool.nothing


def test_a_spool_smaller_than_a_segment_keeps_its_newest_events(place: Place) -> None:
    """Segments are sealed early enough that the quota need not take the one just sealed.

    There may be an active one beside it, of a quarter of the quota.
    """
    spool = place.open(max_spool_bytes="16KiB", max_segment_bytes="64KiB")
    events = [f'{{"event": "{number:0100}"}}'.encode() for number in range(575)]
    for event in events:
        spool.append(event)
    assert sum(len(event) + 1 for event in events[:-1]) < 64 * 1024 <= 575 * 114, "just full"

    kept = place.lines()
    assert kept == events[-len(kept) :]
    assert 8 * 1024 < sum(map(len, kept)) <= 20 * 1024
