"""The overview: everything that `status` says, as a value, as JSON and as text."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from telemetry_spool import heartbeat, listing
from telemetry_spool.consent import Mode, choose
from telemetry_spool.heartbeat import Activity, Heartbeat
from telemetry_spool.ledger import LossLedger
from telemetry_spool.overview import Overview, advice, as_json, as_text, attended, overview
from telemetry_spool.paths import Directories
from tests.conftest import Place

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
STEM = "20260310T120000Z-0123456789abcdef"
RUNNING = Heartbeat(
    pid=os.getpid(),
    host=os.uname().nodename,
    version="0.1.0",
    started=time.time(),
    updated_at="2026-03-10T12:00:00+00:00",
    endpoint="https://telemetry.example.org/api/v1/event",
    activity=Activity.IDLE,
    reason="",
    remedy="",
    next_attempt_at=None,
    accepted=0,
    rejected=0,
    last_accepted_at=None,
)


def look(
    place: Place, *, mode_file: Path | None = None, problems: tuple[str, ...] = ()
) -> Overview:
    """Look at a place."""
    return overview(Directories(place.root, place.spool), mode_file, problems)


def put(place: Place, name: str, content: bytes) -> None:
    """Write a file in the spool."""
    place.spool.mkdir(parents=True, exist_ok=True)
    (place.spool / name).write_bytes(content)


def beat(place: Place, news: Heartbeat) -> None:
    """Let an uploader say this."""
    place.root.mkdir(exist_ok=True)
    heartbeat.write(place.root / "status.json", news)


def rows(state: Overview) -> dict[str, str]:
    """Return the text by the first word of its lines."""
    lines = as_text(state).splitlines()
    return {line[:10].strip(): line[11:] for line in lines}


def test_a_place_that_does_not_exist_has_nothing(place: Place) -> None:
    """And looking at it makes nothing."""
    state = look(place)

    assert (state.pending.events, state.local.events, state.rejected, state.lost) == (0, 0, 0, 0)
    assert (state.uploader, state.alive) == (None, False)
    assert state.consent.mode is Mode.ON
    assert advice(state) == ""
    assert not place.root.exists()


def test_events_are_counted_by_what_may_become_of_them(place: Place) -> None:
    """Active and sealed ones together; those of mode `local` for themselves."""
    put(place, "host.1.active.jsonl", b"{}\n")
    put(place, f"{STEM}.jsonl", b'{"context": {"date": "2026-03-10"}}\n{}\n')
    put(place, "host.1.local.jsonl", b"{}\n{}\n{}\n")
    put(place, f"{STEM}.local.jsonl", b"{}\n")
    put(place, "notes.txt", b"{}\n")

    state = look(place)

    assert (state.pending.events, state.pending.bytes) == (3, 42)
    assert state.pending.oldest == "2026-03-10"
    assert (state.local.events, state.local.bytes) == (4, 12)


def test_what_is_accepted_is_not_pending(place: Place) -> None:
    """A segment that is being sent counts with the rest of it."""
    put(place, f"{STEM}.jsonl", b"{}\n{}\n{}\n{}\n")
    put(place, f"{STEM}.acked", b"3 9\n")

    assert look(place).pending.events == 2


def test_a_segment_that_was_sent_completely_is_nothing(place: Place) -> None:
    """It is about to be deleted."""
    put(place, f"{STEM}.jsonl", b"{}\n")
    put(place, f"{STEM}.acked", b"3\n")

    assert look(place).pending == look(Place(place.root / "absent")).pending


def put_directory(path: Path) -> None:
    """Make a directory."""
    path.mkdir()


def put_fifo(path: Path) -> None:
    """Make a FIFO that nobody writes."""
    os.mkfifo(path)


def put_link(path: Path) -> None:
    """Make a link to a file with lines in it."""
    path.symlink_to("notes.txt")


@pytest.mark.parametrize("make", [put_directory, put_fifo, put_link])
def test_what_is_no_file_is_no_segment(place: Place, make: Callable[[Path], None]) -> None:
    """It does not keep anybody from seeing the rest."""
    put(place, "host.1.active.jsonl", b"{}\n")
    put(place, "notes.txt", b"{}\n")
    make(place.spool / f"{STEM}.jsonl")
    make(place.spool / "other.1.local.jsonl")

    state = look(place)

    assert (state.pending.events, state.local.events) == (1, 0)


def test_dead_letters_and_losses_are_counted(place: Place) -> None:
    """Each event that did not arrive is somewhere in the status."""
    (place.root / "rejected").mkdir(parents=True)
    (place.root / "rejected" / "2026-03-09.jsonl").write_bytes(b"{}\n")
    (place.root / "rejected" / "2026-03-10.jsonl").write_bytes(b"{}\n{}\n")
    losses = LossLedger(Directories(place.root, place.spool))
    losses.lost(5, "disk full", NOON)
    losses.lost(2, "quota", NOON)
    with (place.root / "receipts" / "2026-03-10.jsonl").open("ab") as receipts:
        receipts.write(b'{"id": "a", "event_type": "RUN"}\n{"lost": "x"}\n{"lost')

    state = look(place)

    assert (state.rejected, state.lost) == (3, 7)
    assert rows(state)["rejected"] == f"3 events in {place.root / 'rejected'}"
    assert rows(state)["lost"] == f"7 events; why: {place.root / 'receipts'}"


@pytest.mark.parametrize(
    ("news", "uploader"),
    [
        pytest.param(RUNNING, "idle (pid {pid} on {host})", id="idle"),
        pytest.param(
            replace(RUNNING, activity=Activity.WAITING, reason="HTTP 503"),
            "waiting: HTTP 503 (pid {pid} on {host})",
            id="waiting",
        ),
        pytest.param(
            replace(RUNNING, host="elsewhere"),
            "idle (pid {pid} on elsewhere; on another host, last heard of "
            "2026-03-10T12:00:00+00:00)",
            id="on another host",
        ),
        pytest.param(
            replace(RUNNING, started=0.0),
            "not running (last heard of 2026-03-10T12:00:00+00:00, pid {pid} on {host})",
            id="dead",
        ),
        pytest.param(
            replace(RUNNING, activity=Activity.STOPPED),
            "not running (last heard of 2026-03-10T12:00:00+00:00, pid {pid} on {host})",
            id="stopped",
        ),
        pytest.param(
            replace(RUNNING, activity=Activity.ENDED, reason="HTTP 401"),
            "a single run ended at 2026-03-10T12:00:00+00:00 (pid {pid} on {host}): HTTP 401",
            id="ended",
        ),
    ],
)
def test_the_uploader_is_described(place: Place, news: Heartbeat, uploader: str) -> None:
    """What it does, why not more, and which process it is."""
    beat(place, news)

    expected = uploader.format(pid=RUNNING.pid, host=RUNNING.host)
    assert rows(look(place))["uploader"] == expected


@pytest.mark.parametrize(
    ("minutes", "remedy", "expected"),
    [
        (15, "", ""),
        (15, "check the setting `endpoint`", "check the setting `endpoint`"),
        (600, "check the setting `endpoint`", "start the uploader"),
    ],
)
def test_an_uploader_that_is_started_now_and_then_need_not_be_started(
    place: Place, minutes: int, remedy: str, expected: str
) -> None:
    """By systemd, launchd or cron; one that nobody starts any more has to be."""
    put(place, f"{STEM}.jsonl", b"{}\n")
    moment = datetime.now(tz=UTC) - timedelta(minutes=minutes)
    ended = replace(RUNNING, activity=Activity.ENDED, updated_at=moment.isoformat(), remedy=remedy)
    beat(place, ended)

    state = look(place)

    assert attended(state) is (minutes < 60)
    assert advice(state).split(":")[0] == expected


def test_who_runs_now_and_then_and_finds_nothing_to_run_for_is_well(place: Place) -> None:
    """However long ago the last run was."""
    beat(place, replace(RUNNING, activity=Activity.ENDED))

    assert attended(look(place))


def test_an_uploader_that_never_ran_is_described(place: Place) -> None:
    """Nobody has to guess what an empty line would mean."""
    assert rows(look(place))["uploader"] == "never ran with this spool"


def test_the_last_event_sent_and_the_next_try_are_shown(place: Place) -> None:
    """During an outage these are the two questions."""
    beat(
        place,
        replace(
            RUNNING,
            activity=Activity.WAITING,
            next_attempt_at="2026-03-10T12:15:00+00:00",
            last_accepted_at="2026-03-10T11:00:00+00:00",
            accepted=1,
        ),
    )

    shown = rows(look(place))
    assert shown["next try"] == "2026-03-10T12:15:00+00:00"
    assert shown["last sent"] == "2026-03-10T11:00:00+00:00, 1 event since start"


def test_held_advises_the_remedy(place: Place) -> None:
    """The one line that a person needs when something is wrong."""
    put(place, f"{STEM}.jsonl", b"{}\n")
    beat(place, replace(RUNNING, activity=Activity.HELD, remedy="check the setting `endpoint`"))

    assert rows(look(place))["advice"] == "check the setting `endpoint`"


def test_a_remedy_of_an_uploader_that_is_gone_is_no_advice(place: Place) -> None:
    """The first thing to do about it is to start it."""
    put(place, f"{STEM}.jsonl", b"{}\n")
    gone = replace(RUNNING, started=0.0, activity=Activity.HELD, remedy="check the setting")
    beat(place, gone)

    assert advice(look(place)).startswith("start the uploader: telemetry-uploader run")


def test_events_without_an_uploader_advise_to_start_one(place: Place) -> None:
    """A spool that nobody sends is what people forget."""
    put(place, f"{STEM}.jsonl", b"{}\n")

    assert advice(look(place)).startswith("start the uploader: telemetry-uploader run")


@pytest.mark.parametrize("mode", [Mode.OFF, Mode.LOCAL])
def test_consent_that_forbids_sending_needs_no_advice(
    place: Place, tmp_path: Path, mode: Mode
) -> None:
    """Whoever said no is not asked to start an uploader."""
    put(place, f"{STEM}.jsonl", b"{}\n")
    choose(tmp_path / "mode", mode)

    state = look(place, mode_file=tmp_path / "mode")

    assert advice(state) == ""
    assert rows(state)["mode"] == f"{mode.value} (chosen with telemetry-spool {mode.value})"


def test_a_wrong_setting_is_the_first_advice(place: Place) -> None:
    """A writer had to pass it over; here it is said."""
    state = look(place, problems=("config.toml: fsync = 7: must be true or false",))

    assert rows(state)["problem"] == "config.toml: fsync = 7: must be true or false"
    assert advice(state) == "mend this: config.toml: fsync = 7: must be true or false"


def test_json_has_what_the_text_has(place: Place) -> None:
    """For scripts: one object with names that do not change."""
    put(place, f"{STEM}.jsonl", b"{}\n")
    beat(place, replace(RUNNING, accepted=2))

    content = json.loads(json.dumps(as_json(look(place))))

    uploader = content.pop("uploader")
    assert content == {
        "mode": "on",
        "rule": "default: nothing was chosen",
        "directory": str(place.root),
        "spool": str(place.spool),
        "drop_box": False,
        "pending": {"events": 1, "bytes": 3, "oldest": None},
        "local": {"events": 0, "bytes": 0, "oldest": None},
        "exported": 0,
        "rejected": 0,
        "lost": 0,
        "problems": [],
        "advice": "",
    }
    assert (uploader["alive"], uploader["activity"], uploader["accepted"]) == (True, "idle", 2)


def test_json_of_nothing_has_the_same_names(place: Place) -> None:
    """A script need not ask first whether there is anything."""
    content = as_json(look(place))

    assert content["uploader"] is None
    assert content["pending"] == {"events": 0, "bytes": 0, "oldest": None}


def test_a_segment_that_cannot_be_read_hides_no_other(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that another user has left behind, for example."""
    put(place, f"{STEM}.jsonl", b"{}\n")
    put(place, "host.1.active.jsonl", b"{}\n{}\n")
    open_segment = listing.open_segment

    def refuse(path: str, **how: bool) -> int:
        if path.endswith(f"{STEM}.jsonl"):
            raise PermissionError(13, "Permission denied", path)
        return open_segment(path, **how)

    monkeypatch.setattr(listing, "open_segment", refuse)

    state = look(place)

    assert state.pending.events == 2
    assert state.problems == (f"{place.spool / STEM}.jsonl cannot be read: Permission denied",)
    assert advice(state) == f"mend this: {state.problems[0]}"
