"""With `strict`, an event in which something is personal or undocumented has a reason to stay."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime

import pytest

from telemetry_spool.audit import Finding, Kind
from telemetry_spool.events import Event, parse
from telemetry_spool.paths import Directories
from telemetry_spool.releases import release
from telemetry_spool.segment import Line
from tests.conftest import Place
from tests.test_conformity import whole_event
from uploader.strictness import Held, Strictness, hold_reason

ME = os.getuid()


@pytest.fixture
def directories(place: Place) -> Directories:
    """Return the directories, which do not exist yet."""
    return Directories(place.root, place.spool)


def event(**details: object) -> Event:
    """Return an event that is as documented but for these details."""
    body = json.dumps(whole_event() | {"event_details": details}).encode()
    parsed = parse(Line(0, len(body) + 1, body))
    assert isinstance(parsed, Event)
    return parsed


def test_what_flower_is_known_to_send_is_not_held(directories: Directories) -> None:
    """Though its pages do not mention all of it."""
    assert hold_reason([Finding("context.date", "", Kind.OFF_PAGE)]) is None
    assert Strictness(directories).objection(event(backend="ray"), ME) is None


def test_the_reason_says_where_and_what_and_not_the_words(directories: Directories) -> None:
    """It goes to logs, which may leave the machine."""
    held = Strictness(directories).objection(event(note="bob@example.org"), ME)

    assert held == Held(
        "strict: event_details.note looks like an e-mail address; "
        "event_details.note is a field that Flower is not known to send"
    )


def test_the_name_of_the_events_own_user_is_looked_for(directories: Directories) -> None:
    """A machine's uploader sends the events of many."""
    strictness = Strictness(directories)
    spoken = event(dataset_name="root/data")

    assert "the name of this user" in str(strictness.objection(spoken, 0))
    assert strictness.objection(spoken, 4_000_000_000) is None


def test_a_long_reason_is_short() -> None:
    """Three findings are enough to look into it."""
    findings = [Finding(str(number), "is odd", Kind.UNDOCUMENTED) for number in range(5)]

    assert hold_reason(findings) == "strict: 0 is odd; 1 is odd; 2 is odd; and 2 more"


def test_an_event_that_was_let_go_is_not_held(directories: Directories) -> None:
    """That one, and no other."""
    strictness = Strictness(directories)
    one, other = event(note=1), event(note=2)
    assert strictness.objection(one, ME) is not None

    release(directories, [one.id], datetime.now(tz=UTC))

    assert strictness.objection(one, ME) is None
    assert strictness.objection(other, ME) is not None
