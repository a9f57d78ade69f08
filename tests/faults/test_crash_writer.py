"""SIGKILL at every system call of a writer; then a new writer, and an uploader that drains."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Place
from tests.faults.crash_checks import (
    NEXT,
    Attempt,
    Crashes,
    Scenario,
    check_delivery,
    check_directory,
    check_requests,
    event,
    write_segment,
)
from tests.faults.crash_points import CrashServer, crash_server_or_skip
from tests.faults.table import survives
from tests.support.endpoint import Endpoint

server = pytest.fixture(crash_server_or_skip, scope="module")


@pytest.fixture
def crashes(server: CrashServer, tmp_path: Path) -> Iterator[Crashes]:
    """Return what makes the attempts."""
    with Endpoint() as endpoint:
        yield Crashes(server, endpoint, tmp_path)


def check(attempt: Attempt, stored: list[str], attempted: list[str]) -> None:
    """Nothing is lost, torn or doubled, and nothing is left."""
    check_requests(attempt)
    check_delivery(attempt, stored, attempted)
    check_directory(attempt)
    assert attempt.rejected() == []
    assert attempt.lost() == 0


@survives(
    "crash",
    "a writer dies while it records the first events of a new machine",
    "every event whose call returned is delivered, once; none is torn",
)
def test_first_events(crashes: Crashes) -> None:
    """Directories and file are there as far as they had been made: the next writer goes on."""
    events = [event(1), event(2)]

    points = crashes.everywhere(
        Scenario("append", arguments={"events": events}),
        lambda attempt: check(attempt, [], events),
    )

    assert points > 15


@survives(
    "crash",
    "a writer with `fsync` dies while it appends to the active segment",
    "every event whose call returned is delivered, once; none is torn",
)
def test_later_events(crashes: Crashes) -> None:
    """What others have appended before stays whole."""
    events = [event(2), event(3)]

    points = crashes.everywhere(
        Scenario(
            "append",
            prepare=lambda place: place.open().append(event(1).encode()),
            arguments={"events": events},
            settings={"FLWR_TELEMETRY_FSYNC": "true"},
        ),
        lambda attempt: check(attempt, [event(1)], events),
    )

    assert points > 10


@survives(
    "crash",
    "a writer dies while it repairs a segment that ends in half a line",
    "the half line goes to the dead letters, every event whose call returned is delivered",
)
def test_repair_of_half_a_line(crashes: Crashes) -> None:
    """The newline that is missing comes with the next event or not at all."""
    events = [event(2), event(3)]
    half = event(9)[:20]

    def prepare(place: Place) -> None:
        place.open().append(event(1).encode())
        with place.active().open("a", encoding="utf-8") as file:
            file.write(half)

    def check_repair(attempt: Attempt) -> None:
        check_requests(attempt)
        check_delivery(attempt, [event(1)], events)
        check_directory(attempt)
        assert [letter["raw"] for letter in attempt.rejected()] == [half]

    crashes.everywhere(Scenario("append", prepare, {"events": events}), check_repair)


@survives(
    "crash",
    "a writer dies while it writes a segment of its own because the active one cannot be had",
    "every event whose call returned is delivered, once; what it left is deleted after an hour",
)
def test_fallback(crashes: Crashes) -> None:
    """The event is under its temporary name or under its sealed one, whole."""
    events = [event(1), event(2)]

    def prepare(place: Place) -> None:
        place.spool.mkdir(parents=True)
        place.active().symlink_to("elsewhere")

    points = crashes.everywhere(
        Scenario(
            "append",
            prepare,
            {"events": events},
            repair=lambda place: place.active().unlink(),
        ),
        lambda attempt: check(attempt, [], events),
    )

    assert points > 8


@survives(
    "crash",
    "a writer dies while it seals a full segment",
    "every event whose call returned is delivered, once; none is torn",
)
def test_sealing(crashes: Crashes) -> None:
    """The segment has its old name or its new one; the next writer works with either."""
    events = [event(number, 1500) for number in range(1, 6)]

    points = crashes.everywhere(
        Scenario(
            "append",
            arguments={"events": events},
            settings={"FLWR_TELEMETRY_MAX_SEGMENT_BYTES": "4096"},
        ),
        lambda attempt: check(attempt, [], events),
    )

    assert points > 35


@survives(
    "crash",
    "a writer dies while it deletes the oldest segment to keep within the quota",
    "that segment is gone or whole, everything else is delivered; its events may be missing in "
    "the count of losses",
)
def test_quota(crashes: Crashes) -> None:
    """No segment but the oldest is touched, and no event of it is delivered in part."""
    oldest = [event(number, 1300) for number in range(1, 4)]
    kept = [event(number, 1400) for number in range(4, 6)]
    events = [event(number, 1500) for number in range(6, 9)]

    def prepare(place: Place) -> None:
        segment = write_segment(place, 1, *oldest)
        segment.with_suffix(".acked").write_text("1301\n", encoding="utf-8")
        write_segment(place, 2, *kept)

    def check_quota(attempt: Attempt) -> None:
        check_requests(attempt)
        unsent = [line for line in oldest[1:] if line in attempt.accepted]
        assert unsent in ([], oldest[1:])
        check_delivery(attempt, [*kept, *unsent], events)
        check_directory(attempt)
        if unsent:
            assert attempt.lost() == 0
        elif attempt.crashed.done:
            assert attempt.lost() == 2
        else:
            assert attempt.lost() in (0, 2)

    limits = {
        "FLWR_TELEMETRY_MAX_SEGMENT_BYTES": "4096",
        "FLWR_TELEMETRY_MAX_SPOOL_BYTES": "8192",
    }
    points = crashes.everywhere(
        Scenario("append", prepare, {"events": events}, limits), check_quota
    )

    assert points > 40


@survives(
    "crash",
    "a writer dies while it counts an event as lost",
    "the loss is in the ledger, whole, or not at all; every other event is delivered",
)
def test_loss_ledger(crashes: Crashes) -> None:
    """An event that is too large costs the others nothing."""
    events = [event(1), event(2, 3000), event(3)]

    def check_ledger(attempt: Attempt) -> None:
        check_requests(attempt)
        check_delivery(attempt, [], [event(1), event(3)])
        check_directory(attempt)
        lost = (1,) if event(3) in attempt.crashed.returned else (0, 1)
        assert attempt.lost() in lost

    limits = {"FLWR_TELEMETRY_MAX_EVENT_BYTES": "2048"}
    crashes.everywhere(
        Scenario("record", arguments={"events": events}, settings=limits), check_ledger
    )


@survives(
    "crash",
    "a writer dies while it takes back an event that did not fit",
    "half of it stays at most and goes to the dead letters, every other event is delivered",
)
def test_short_write(crashes: Crashes) -> None:
    """Half a line ends where the next writer begins."""
    events = [event(1, 400), event(2, 400), event(3, 400)]

    def check_short(attempt: Attempt) -> None:
        check_requests(attempt)
        check_delivery(attempt, [], events[:2])
        check_directory(attempt)
        halves = [letter["raw"] for letter in attempt.rejected()]
        assert halves in ([], [events[2][: 1000 - 2 * 401]])
        if attempt.crashed.done:
            assert halves == []

    crashes.everywhere(
        Scenario("append_beyond_a_limit", arguments={"events": events, "bytes": 1000}),
        check_short,
    )


@survives(
    "crash",
    "a writer dies while it records events in mode `local`",
    "every event whose call returned is in the spool, whole, and none is uploaded",
)
def test_local_events(crashes: Crashes) -> None:
    """What was recorded locally stays, whatever happens to its writer."""
    events = [event(1), event(2)]
    name = Place(Path()).active().name.replace(".active.", ".local.")

    def check_local(attempt: Attempt) -> None:
        check_requests(attempt)
        assert attempt.accepted == {NEXT: 1}
        local = attempt.place.spool / name
        kept = local.read_text(encoding="utf-8").splitlines() if local.exists() else []
        assert set(attempt.crashed.returned) <= set(kept) <= set(events)
        check_directory(attempt, *([name] if local.exists() else []))

    crashes.everywhere(Scenario("append", arguments={"events": events, "local": True}), check_local)


@survives(
    "crash",
    "`telemetry-spool off` dies while it changes the mode",
    "the mode file has the old word or the new one",
)
@pytest.mark.parametrize("before", [None, "on\n"], ids=["first choice", "another choice"])
def test_mode_change(crashes: Crashes, before: str | None) -> None:
    """No process ever reads half a word, which would count as off."""

    def mode_file(place: Place) -> Path:
        return place.root.parent / "config" / "flwr-telemetry" / "mode"

    def prepare(place: Place) -> None:
        if before:
            mode_file(place).parent.mkdir(parents=True)
            mode_file(place).write_text(before, encoding="utf-8")

    def repair(place: Place) -> None:
        path = mode_file(place)
        assert (path.read_text(encoding="utf-8") if path.exists() else None) in (before, "off\n")
        path.unlink(missing_ok=True)

    points = crashes.everywhere(
        Scenario("choose", prepare, {"mode": "off"}, repair=repair),
        lambda attempt: check(attempt, [], []),
    )

    assert points > 5
