"""`telemetry-spool list` and `tail`: every state, every filter, as it comes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from telemetry_spool.segment import event_id
from tests.conftest import DEADLINE_SECONDS, Place
from tests.e2e.conftest import Site
from tests.support.events import event
from tests.support.processes import SPOOL, environment, poll, running

OLD, NEW = "2026-01-01T00:00:00+00:00", "2026-03-10T12:00:00+00:00"
ENTER = event("RUN_ENTER", date=OLD, source="aaaa", cluster="c1")
LEAVE = event("RUN_LEAVE", date=NEW, source="bbbb", cluster="c1")
PRIVATE = event("PRIVATE", date=NEW, source="aaaa", cluster="c2")
REFUSED = event("REFUSED", date=OLD, source="aaaa")
SENT = event("SENT", date=NEW)


@pytest.fixture
def site(place: Place) -> Site:
    """Return a site with one event in every state."""
    site = Site(place, "http://127.0.0.1:9/")
    site.record([ENTER, LEAVE])
    site.record([PRIVATE], local=True)
    letter = {
        "reason": "HTTP 422",
        "status": 422,
        "response": "no",
        "rejected_at": NEW,
        "event": json.loads(REFUSED),
    }
    receipt = {
        "id": event_id(SENT),
        "event_type": "SENT",
        "date": NEW,
        "sent_at": NEW,
        "endpoint": "http://127.0.0.1:9/",
    }
    loss = {"lost": 3, "reason": "the disk was full", "lost_at": OLD}
    write(place.root / "rejected" / "2026-03-10.jsonl", letter)
    write(place.root / "receipts" / "2026-03-10.jsonl", receipt, loss)
    return site


def write(path: Path, *records: dict[str, Any]) -> None:
    """Append records to a file of a journal."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.writelines(json.dumps(record) + "\n" for record in records)


def listed(site: Site, *arguments: str) -> list[str]:
    """Return what `list` shows: the type of each event, or the reason of a loss."""
    ended = site.telemetry_spool("list", "--json", *arguments)
    assert (ended.code, ended.stderr) == (0, "")
    rows = [json.loads(row) for row in ended.stdout.splitlines()]
    return [row["event_type"] or row["reason"] for row in rows]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], ["RUN_ENTER", "RUN_LEAVE", "PRIVATE"]),
        (["--state", "pending"], ["RUN_ENTER", "RUN_LEAVE"]),
        (["--state", "local"], ["PRIVATE"]),
        (["--state", "rejected"], ["REFUSED"]),
        (["--state", "sent"], ["SENT"]),
        (["--state", "lost"], ["the disk was full"]),
        (["--state", "sent", "--state", "local"], ["PRIVATE", "SENT"]),
        (["--type", "run_*"], ["RUN_ENTER", "RUN_LEAVE"]),
        (["--type", "PRIVATE", "--type", "RUN_LEAVE"], ["RUN_LEAVE", "PRIVATE"]),
        (["--source", "aaaa"], ["RUN_ENTER", "PRIVATE"]),
        (["--source", "aaaa", "--state", "rejected"], ["REFUSED"]),
        (["--cluster", "c2"], ["PRIVATE"]),
        (["--since", "2026-03-10"], ["RUN_LEAVE", "PRIVATE"]),
        (["--until", "2026-01-01"], ["RUN_ENTER"]),
        (["--until", "2025-12-31"], []),
        (["--until", "2026-01-31", "--state", "lost"], ["the disk was full"]),
        (["--type", "run_*", "--limit", "1"], ["RUN_ENTER"]),
    ],
    ids=" ".join,
)
def test_list_shows_what_is_asked_for(
    site: Site, arguments: list[str], expected: list[str]
) -> None:
    """Each filter by itself and with others."""
    assert listed(site, *arguments) == expected


def test_list_says_why_an_event_was_rejected_or_lost(site: Site) -> None:
    """In the row."""
    shown = site.telemetry_spool("list", "--state", "rejected", "--state", "lost").stdout

    rejected, lost = shown.splitlines()
    assert rejected.endswith("rejected  REFUSED: HTTP 422")
    assert lost.endswith("lost      3 lost: the disk was full")


def test_show_finds_a_rejected_event(site: Site) -> None:
    """With its exact bytes."""
    raw = site.telemetry_spool("show", "--raw", event_id(REFUSED)).stdout

    assert raw.encode() == REFUSED


def test_show_says_that_the_content_of_a_sent_event_was_not_kept(site: Site) -> None:
    """And how to keep it."""
    ended = site.telemetry_spool("show", event_id(SENT)[:20])

    assert (ended.code, ended.stdout) == (1, "")
    assert ended.stderr == (
        f"telemetry-spool: event {event_id(SENT)[:12]} was sent at {NEW} and its content was not "
        "kept: set keep_sent = true to keep it from now on\n"
    )


def test_show_explains_every_field(site: Site) -> None:
    """What it is and why it is sent; what is not described is named as such."""
    odd = event("ODD", details={"n": 1}).replace(b'"context": {', b'"context": {"extra": "x", ')
    site.record([odd])

    shown = site.telemetry_spool("show", "--explain", event_id(odd)).stdout.splitlines()

    version = shown.index('context.flower.package_version = "1.41.0"')
    assert shown[version + 1].startswith("    ")
    assert shown[version + 2].startswith("    Why: ")
    extra = shown.index('context.extra = "x"')
    assert shown[extra + 1] == (
        "    Flower is not known to send it; telemetry-spool audit says more."
    )
    assert "event_details.n = 1" in shown


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--since", "soon", "must be a date (2026-03-10), a time (2026-03-10T12:00) or an age"),
        ("--state", "gone", "'gone' is not one of"),
        ("--source", "", "must not be empty"),
    ],
)
def test_a_filter_that_cannot_be_understood_is_refused(
    site: Site, option: str, value: str, said: str
) -> None:
    """With what is allowed."""
    site.environ |= {"COLUMNS": "200"}

    ended = site.telemetry_spool("list", option, value)

    assert (ended.code, ended.stdout) == (2, "")
    assert said in ended.stderr


@pytest.mark.parametrize("arguments", [["list"], ["tail", "-f"]], ids=" ".join)
def test_the_first_row_of_a_large_spool_comes_at_once_and_in_little_memory(
    place: Place, arguments: list[str]
) -> None:
    """Whoever looks at a million events sees the first, or the last, while the rest is unread."""
    site = Site(place, "http://127.0.0.1:9/")
    place.spool.mkdir(parents=True)
    segment = (ENTER + b"\n") * 5000
    for number in range(200):
        path = place.spool / f"20260101T000000Z-{number:016x}.jsonl"
        path.write_bytes(segment)
    with running(SPOOL, *arguments, environ=site.environ) as listing:
        assert listing.first_line().endswith("RUN_ENTER")
        read = int(_proc(listing.pid, "io").split("rchar: ")[1].split()[0])
        peak = int(_proc(listing.pid, "status").split("VmHWM:")[1].split()[0])

    assert read < 60 * 2**20, "most of the 500 MB are unread"
    assert peak < 150 * 1024


def _proc(pid: int, name: str) -> str:
    return Path(f"/proc/{pid}/{name}").read_text()


@pytest.mark.parametrize("width", [40, 72, 200])
def test_list_on_a_terminal_fits_its_width(site: Site, width: int) -> None:
    """The narrow one shows less of id and date."""
    site.environ |= {"COLUMNS": ""}  # a test runner may have set it
    script = f"stty cols {width}; {sys.executable} -m {SPOOL} list"

    done = subprocess.run(
        ["script", "-qec", script, "/dev/null"],
        env=environment(site.environ),
        check=True,
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
    )

    rows = done.stdout.splitlines()
    assert [row.split()[-1] for row in rows] == ["RUN_ENTER", "RUN_LEAVE", "PRIVATE"]
    assert all(len(row) <= width for row in rows)


def test_tail_shows_the_last_ones(site: Site) -> None:
    """And ends."""
    shown = site.telemetry_spool("tail", "-n", "2").stdout.splitlines()

    assert [row.split()[-1] for row in shown] == ["RUN_LEAVE", "PRIVATE"]
    assert site.telemetry_spool("tail", "-n", "0").stdout == ""


def follow(site: Site, act: Callable[[], None], *, rows: int) -> list[list[str]]:
    """Follow while `act` acts; return state and type of the rows when there are enough."""
    arguments = [sys.executable, "-m", SPOOL, "tail", "-f"]
    output = site.place.root / "output"
    with (
        output.open("wb") as stdout,
        subprocess.Popen(arguments, env=environment(site.environ), stdout=stdout) as process,
    ):

        def shown() -> list[str]:
            return output.read_text().splitlines()

        poll(lambda: len(shown()) == 3, "the events that are there")
        act()
        poll(lambda: len(shown()) >= 3 + rows, "the events that come")
        process.send_signal(signal.SIGINT)
        assert process.wait(DEADLINE_SECONDS) == 0
    return [row.split()[-2:] for row in shown()[3:]]


def test_tail_follows_what_comes_once(site: Site) -> None:
    """Into active segments, through their sealing, and into new ones; Ctrl-C ends it well."""
    spool = site.place.open(max_segment_bytes=4096)
    names = [f"NEW_{number}" for number in range(60)]

    def act() -> None:
        for name in names:
            spool.append(event(name))
        spool.append(event("SECRET"), local=True)

    shown = follow(site, act, rows=61)

    assert sorted(shown) == sorted([["pending", name] for name in names] + [["local", "SECRET"]])
    assert len(site.place.sealed()) > 1


def test_tail_tells_of_an_event_that_was_sent_before_it_was_seen(site: Site) -> None:
    """The uploader may be faster; what was there before is no news when it is sent."""
    receipts = site.place.root / "receipts" / "2026-03-11.jsonl"

    def act() -> None:
        fast = event("FAST")
        now = datetime.now(tz=UTC).isoformat()
        common = {"date": now, "sent_at": now, "endpoint": ""}
        write(receipts, {"id": event_id(ENTER), "event_type": "RUN_ENTER"} | common)
        write(receipts, {"id": "a" * 64, "event_type": "WAITED"} | common | {"date": NEW})
        write(receipts, {"id": event_id(fast), "event_type": "FAST"} | common)

    assert follow(site, act, rows=1) == [["sent", "FAST"]]


def test_tail_shows_nothing_again_that_is_moved(site: Site) -> None:
    """Deleting one event of a segment gives the others a new file."""

    def act() -> None:
        assert site.telemetry_spool("rm", "--yes", event_id(ENTER)).code == 0
        site.place.open().append(event("LATER"))

    assert follow(site, act, rows=1) == [["pending", "LATER"]]


def test_tail_keeps_the_order(place: Place) -> None:
    """Sealed segments by age, then what is appended to, whatever the host is called."""
    site = Site(place, "http://127.0.0.1:9/")
    place.spool.mkdir(parents=True)
    for number in range(4):
        path = place.spool / f"20260101T000000Z-{number:016x}.jsonl"
        path.write_bytes(event(f"A{number}") + b"\n" + event(f"B{number}") + b"\n")
    (place.spool / "0host.1.active.jsonl").write_bytes(event("NEWEST") + b"\n")

    def shown(*arguments: str) -> list[str]:
        rows = site.telemetry_spool("tail", *arguments).stdout.splitlines()
        return [row.split()[-1] for row in rows]

    assert shown("-n", "4") == ["B2", "A3", "B3", "NEWEST"]
    assert shown("-n", "3", "--type", "a*") == ["A1", "A2", "A3"]
    assert shown("-n", "1") == ["NEWEST"]
    assert len(shown("-n", "100")) == 9


def test_a_row_is_never_shown_before_it_is_whole(site: Site) -> None:
    """A writer on another machine may be in the middle of a line."""
    active = site.place.active()

    def act() -> None:
        whole = event("WHOLE")
        with active.open("ab", buffering=0) as file:
            file.write(whole[:50])
            site.record([event("PRIVATE_TOO")], local=True)
            poll(lambda: "PRIVATE_TOO" in output.read_text(), "the other event")
            assert "WHOLE" not in output.read_text()
            file.write(whole[50:] + b"\n")

    output = site.place.root / "output"
    assert follow(site, act, rows=2) == [["local", "PRIVATE_TOO"], ["pending", "WHOLE"]]
