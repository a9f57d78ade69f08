"""Shell completion knows the commands, their options, and the ids of events."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from telemetry_spool.letters import dead_letter, dead_letter_journal
from telemetry_spool.paths import Directories
from telemetry_spool.segment import event_id
from telemetry_spool.spool import utc_now
from tests.conftest import DEADLINE_SECONDS, Place
from tests.support.events import event
from tests.support.processes import environment

PENDING, REFUSED = event("PENDING"), event("REFUSED")


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("pur", {"purge"}),
        ("list --sta", {"--state"}),
        (f"show {event_id(PENDING)[:3]}", {event_id(PENDING)[:12]}),
        ("rm ", {event_id(PENDING)[:12]}),
        ("rejected retry ", {event_id(REFUSED)[:12]}),
        ("show zzz", set()),
    ],
    ids=["command", "option", "id", "any id", "dead letter", "none"],
)
def test_a_shell_is_told_what_can_follow(place: Place, typed: str, expected: set[str]) -> None:
    """As bash asks for it."""
    place.open().append(PENDING)
    now = utc_now()
    journal = dead_letter_journal(Directories(place.root, place.spool))
    journal.append([dead_letter(REFUSED, "no", now)], now)
    words = ["telemetry-spool", *typed.split(" ")]

    done = subprocess.run(
        [Path(sys.executable).with_name("telemetry-spool")],
        env=environment(
            place.environ
            | {
                "_TELEMETRY_SPOOL_COMPLETE": "complete_bash",
                "COMP_WORDS": " ".join(words),
                "COMP_CWORD": str(len(words) - 1),
            }
        ),
        check=False,
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
    )

    assert (set(done.stdout.split()), done.stderr) == (expected, "")
