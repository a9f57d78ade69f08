"""SIGKILL at every change of `rm`, `purge`, `send` and `rejected retry`; then the same again.

Between the two an uploader drains the spool, or none does.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from telemetry_spool.consent import Mode, choose
from telemetry_spool.letters import dead_letter
from telemetry_spool.segment import event_id
from telemetry_spool.spool import utc_now
from tests.conftest import Place
from tests.faults.crash_commands import Crashes
from tests.faults.crash_points import CrashServer, crash_server_or_skip
from tests.faults.table import survives
from tests.support import carried
from tests.support.events import event

server = pytest.fixture(crash_server_or_skip, scope="module")

SENT = [event("SENT", details={"n": number}) for number in range(2)]
GO = [event("GO", details={"n": number}) for number in range(3)]
STAY = [event("STAY", details={"n": number}) for number in range(3)]
PRIVATE = [event("PRIVATE", details={"n": number}) for number in range(2)]


@pytest.fixture
def crashes(server: CrashServer, tmp_path: Path) -> Crashes:
    """Return what makes the attempts."""
    return Crashes(server, tmp_path)


def fill(place: Place, _: Path) -> None:
    """Make a spool: a segment with progress, one that goes whole, an active one, mode local."""
    acked = f"{len(SENT[0]) + 1} {len(SENT[0]) + len(STAY[0]) + 2}\n"
    carried.segment(place, 1, SENT[0], STAY[0], SENT[1], GO[0], STAY[1], acked=acked)
    carried.segment(place, 2, GO[1])
    for line in (GO[2], STAY[2]):
        place.open().append(line)
    for line in PRIVATE:
        place.open().append(line, local=True)


def private(place: Place) -> list[bytes]:
    """Return what is never sent by itself."""
    return [
        line
        for path in sorted(place.spool.glob("*.local.jsonl"))
        for line in path.read_bytes().splitlines()
    ]


@survives(
    "crash",
    "`telemetry-spool purge` dies",
    "run again it deletes the rest; no other event is lost, none that was sent comes back",
)
def test_purge(crashes: Crashes) -> None:
    """An event that stays may be there twice, under the same id; never not at all."""

    def check(place: Place, _: Path, sent: list[bytes]) -> None:
        left = carried.to_send(place)
        assert set(left).isdisjoint(GO)
        assert set(sent + left) - set(GO) == set(STAY)
        assert max(Counter(sent + left).values()) <= 2
        assert private(place) == PRIVATE

    points = crashes.everywhere(fill, ["purge", "--yes", "--type", "GO"], check)

    assert points > 15


@survives(
    "crash",
    "`telemetry-spool rm` dies",
    "run again the event is gone; no other one is lost, none that was sent comes back",
)
@pytest.mark.parametrize("chosen", [GO[0], GO[1], GO[2]], ids=["in the middle", "alone", "active"])
def test_rm(crashes: Crashes, chosen: bytes) -> None:
    """An event that stays may be there twice, under the same id; never not at all."""
    others = {*STAY, *GO} - {chosen}

    def check(place: Place, _: Path, sent: list[bytes]) -> None:
        left = carried.to_send(place)
        assert chosen not in left
        assert set(sent + left) - {chosen} == others
        assert max(Counter(sent + left).values()) <= 2
        assert private(place) == PRIVATE

    points = crashes.everywhere(fill, ["rm", "--yes", event_id(chosen)], check)

    assert points > 5


@survives(
    "crash",
    "`telemetry-spool send` dies in mode `local`",
    "run again the event is sent, under one id; no other event is",
)
def test_send(crashes: Crashes) -> None:
    """What nobody has chosen stays where it is."""

    def prepare(place: Place, home: Path) -> None:
        for line in PRIVATE:
            place.open().append(line, local=True)
        choose(home / "config" / "flwr-telemetry" / "mode", Mode.LOCAL)

    def check(place: Place, _: Path, sent: list[bytes]) -> None:
        assert set(sent + carried.to_send(place)) == {PRIVATE[0]}
        assert set(private(place)) == {PRIVATE[1]}

    points = crashes.everywhere(prepare, ["send", "--yes", event_id(PRIVATE[0])], check)

    assert points > 5


@survives(
    "crash",
    "`telemetry-spool rejected retry` dies",
    "run again each dead letter is in the spool or was sent, under one id",
)
def test_retry(crashes: Crashes) -> None:
    """Never is one in neither place."""

    def prepare(place: Place, _: Path) -> None:
        rejected = place.root / "rejected"
        rejected.mkdir(parents=True)
        for day, lines in (("2026-03-10", GO), ("2026-03-11", STAY)):
            text = "".join(
                json.dumps(dead_letter(line, "HTTP 422", utc_now())) + "\n" for line in lines
            )
            (rejected / f"{day}.jsonl").write_text(text)

    def check(place: Place, _: Path, sent: list[bytes]) -> None:
        assert set(sent + carried.to_send(place)) == {*GO, *STAY}
        assert [path.read_bytes() for path in (place.root / "rejected").glob("*.jsonl")] in (
            [],
            [b""],
        )

    points = crashes.everywhere(prepare, ["rejected", "retry", "--all"], check)

    assert points > 5
