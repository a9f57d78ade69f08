"""`telemetry-spool rm` and `purge`: say what goes, ask, and do exactly that."""

from __future__ import annotations

import json
import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from telemetry_spool.letters import dead_letter, dead_letter_journal
from telemetry_spool.paths import Directories
from telemetry_spool.segment import event_id
from tests.conftest import Place
from tests.e2e.conftest import Site
from tests.support.events import event
from tests.support.terminal import on_terminal

NOW = datetime.now(tz=UTC)
OLD, NEW = (NOW - timedelta(days=40)).isoformat(), NOW.isoformat()
ENTER = event("RUN_ENTER", date=OLD, source="aaaa")
LEAVE = event("RUN_LEAVE", date=NEW, source="bbbb")
PRIVATE = event("PRIVATE", date=NEW, source="aaaa")
REFUSED = event("REFUSED", date=OLD, source="aaaa")


@pytest.fixture
def site(place: Place) -> Site:
    """Return a site with an event in every state."""
    site = Site(place, "http://127.0.0.1:9/")
    site.record([ENTER, LEAVE])
    site.record([PRIVATE], local=True)
    directories = Directories(place.root, place.spool)
    dead_letter_journal(directories).append([dead_letter(REFUSED, "HTTP 422", NOW)], NOW)
    receipts = place.root / "receipts" / "2026-03-10.jsonl"
    receipts.parent.mkdir()
    receipts.write_text(
        json.dumps({"id": "5e", "event_type": "SENT", "date": NEW, "sent_at": NEW, "endpoint": ""})
        + "\n"
        + json.dumps({"lost": 3, "reason": "full", "lost_at": OLD})
        + "\n"
    )
    return site


def left(site: Site) -> list[str]:
    """Return what is left: the type of each event, and the other records of the ledger."""
    records = [*site.place.events(), *(letter["event"] for letter in site.rejected())]
    ledger = site.place.ledger()
    types = [record["event_type"] for record in [*records, *ledger] if "event_type" in record]
    return sorted(types) + ["lost" for record in ledger if "lost" in record]


def removed(site: Site) -> list[dict[str, Any]]:
    """Return what the ledger says was removed, without the time."""
    return [
        {name: record[name] for name in ("removed", "reason")}
        for record in site.place.ledger()
        if "removed" in record
    ]


EVERYTHING = ["PRIVATE", "REFUSED", "RUN_ENTER", "RUN_LEAVE", "SENT", "lost"]


@pytest.mark.parametrize(
    ("arguments", "gone"),
    [
        (["--all"], EVERYTHING),
        (["--type", "run_*"], ["RUN_ENTER", "RUN_LEAVE"]),
        (["--older-than", "30d"], ["REFUSED", "RUN_ENTER"]),
        (["--until", "30d"], ["REFUSED", "RUN_ENTER"]),
        (["--since", "1d"], ["PRIVATE", "RUN_LEAVE"]),
        (["--source", "aaaa"], ["PRIVATE", "REFUSED", "RUN_ENTER"]),
        (["--source", "aaaa", "--older-than", "30d"], ["REFUSED", "RUN_ENTER"]),
        (["--state", "pending"], ["RUN_ENTER", "RUN_LEAVE"]),
        (["--state", "local"], ["PRIVATE"]),
        (["--state", "rejected"], ["REFUSED"]),
        (["--state", "sent"], ["SENT"]),
        (["--state", "lost"], ["lost"]),
        (["--type", "NONE"], []),
    ],
    ids=" ".join,
)
def test_purge_deletes_what_is_asked_for(site: Site, arguments: list[str], gone: list[str]) -> None:
    """And nothing else: receipts only if they are named. A dry run deletes nothing."""
    dry = site.telemetry_spool("purge", *arguments, "--dry-run", "--json")
    assert (dry.code, left(site)) == (0, EVERYTHING)

    ended = site.telemetry_spool("purge", *arguments, "--yes")

    number = len(gone) + 2 * ("lost" in gone)
    assert (ended.code, ended.stderr) == (0, "")
    assert left(site) == [name for name in EVERYTHING if name not in gone]
    found = json.loads(dry.stdout)
    assert found["removed"] == 0
    assert sum(of_state["events"] for of_state in found["found"].values()) == number
    if gone:
        # A line of the ledger may stand for several lost events; it is one record that goes.
        assert removed(site) == [{"removed": len(gone), "reason": "telemetry-spool purge"}]
    else:
        assert ended.stdout == "There is nothing of that kind.\n"


def test_purge_says_what_goes(site: Site) -> None:
    """By state, with types and bytes."""
    shown = site.telemetry_spool("purge", "--all", "--dry-run").stdout.splitlines()

    size = len(ENTER) + len(LEAVE)
    assert shown == [
        f"pending   2 events, {size:,} bytes: RUN_ENTER 1, RUN_LEAVE 1",
        f"local     1 event, {len(PRIVATE):,} bytes: PRIVATE 1",
        f"rejected  1 event, {len(REFUSED):,} bytes: REFUSED 1",
        "sent      1 event, 0 bytes: SENT 1",
        "lost      3 events, 0 bytes",
    ]


def test_purge_tells_of_exported_events(site: Site, tmp_path: Path) -> None:
    """They have left the spool, and are still on this machine."""
    number = len(site.place.lines()) - 1  # one is of mode local
    assert site.telemetry_spool("export", str(tmp_path / "out.tar.gz")).code == 0

    shown = site.telemetry_spool("purge", "--all", "--yes").stdout

    assert f"Not among them: {number} events in bundles; telemetry-spool export --list\n" in shown


def test_purge_of_nothing_in_particular_is_refused(site: Site) -> None:
    """Everything has to be said."""
    ended = site.telemetry_spool("purge", "--yes")

    assert (ended.code, ended.stdout) == (os.EX_USAGE, "")
    assert ended.stderr == (
        "telemetry-spool: say what is to go: --older-than, --type, --source, --state …, or --all\n"
    )
    assert left(site) == EVERYTHING


@pytest.mark.parametrize(
    "command", [["purge", "--all"], ["rm", event_id(ENTER)]], ids=["purge", "rm"]
)
def test_where_nobody_can_be_asked_nothing_is_deleted(site: Site, command: list[str]) -> None:
    """A script has to say --yes."""
    ended = site.telemetry_spool(*command)

    assert ended.code == os.EX_USAGE
    assert ended.stderr.endswith("Nobody is here to be asked: say --yes\n")
    assert left(site) == EVERYTHING


def test_a_terminal_is_asked(site: Site) -> None:
    """No is no, yes is yes."""
    refused = on_terminal(site.environ, "purge", "--type", "run_*", answer="n\n")
    assert refused.code == 1
    assert "Delete 2 events? [y/N]" in refused.stdout
    assert refused.stdout.endswith("telemetry-spool: nothing was done\r\n")
    assert left(site) == EVERYTHING

    assert on_terminal(site.environ, "rm", event_id(ENTER)[:12], answer="y\n").code == 0
    assert left(site) == [name for name in EVERYTHING if name != "RUN_ENTER"]


def test_rm_deletes_single_events_wherever_they_are(site: Site) -> None:
    """Pending, local and rejected ones, by the beginning of their ids."""
    ids = [event_id(line)[:10] for line in (ENTER, PRIVATE, REFUSED)]

    ended = site.telemetry_spool("rm", "--yes", *ids)

    assert (ended.code, ended.stderr) == (0, "")
    rows = ended.stdout.splitlines()
    assert [re.split(" +", row)[1:] for row in rows[:-1]] == [
        ["pending", "RUN_ENTER"],
        ["local", "PRIVATE"],
        ["rejected", "REFUSED"],
    ]
    assert rows[-1] == "Deleted 3 events."
    assert left(site) == ["RUN_LEAVE", "SENT", "lost"]
    assert removed(site) == [{"removed": 3, "reason": "telemetry-spool rm"}]


def test_rm_of_an_unknown_id_deletes_nothing(site: Site) -> None:
    """Not even the others that were named."""
    ended = site.telemetry_spool("rm", "--yes", event_id(ENTER), "zzz")

    assert (ended.code, ended.stdout) == (1, "")
    assert left(site) == EVERYTHING


def test_what_could_not_be_deleted_is_said(site: Site) -> None:
    """With an exit code that says that it may work later."""
    other = site.place.spool / "elsewhere.7.active.jsonl"
    other.write_bytes(ENTER + b"\n")

    ended = site.telemetry_spool("purge", "--type", "RUN_*", "--yes")

    assert ended.code == os.EX_TEMPFAIL
    assert ended.stdout.endswith("Deleted 2 events.\n")
    assert ended.stderr == (
        f"telemetry-spool: {other} is in use: on elsewhere, within the last minute; "
        "try again later\n"
    )


def test_a_status_after_a_purge_counts_no_loss(site: Site) -> None:
    """What a person removes is not lost."""
    site.telemetry_spool("purge", "--state", "lost", "--yes")
    site.telemetry_spool("purge", "--state", "pending", "--yes")

    status = json.loads(site.telemetry_spool("status", "--json").stdout)

    assert (status["pending"]["events"], status["lost"]) == (0, 0)
