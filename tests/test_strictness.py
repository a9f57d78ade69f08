"""With `strict`, an event in which something is personal or undocumented has a reason to stay."""

from __future__ import annotations

import json
import os

from telemetry_spool.audit import Finding, Kind
from tests.test_conformity import whole_event
from uploader.strictness import Held, hold, objection

ME = os.getuid()


def event(**details: object) -> bytes:
    """Return an event that is as documented but for these details."""
    return json.dumps(whole_event() | {"event_details": details}).encode()


def test_what_flower_is_known_to_send_is_not_held() -> None:
    """Though its pages do not mention all of it."""
    assert hold([Finding("context.date", "", Kind.OFF_PAGE)]) is None
    assert objection(event(backend="ray"), ME) is None


def test_the_reason_says_where_and_what_and_not_the_words() -> None:
    """It goes to logs, which may leave the machine."""
    assert objection(event(note="bob@example.org"), ME) == Held(
        "strict: event_details.note looks like an e-mail address; "
        "event_details.note is a field that Flower is not known to send"
    )


def test_the_name_of_the_events_own_user_is_looked_for() -> None:
    """A machine's uploader sends the events of many."""
    spoken = event(dataset_name="root/data")

    held = objection(spoken, 0)

    assert held is not None
    assert "the name of this user" in held.reason
    assert objection(spoken, 4_000_000_000) is None


def test_a_long_reason_is_short() -> None:
    """Three findings are enough to look into it."""
    findings = [Finding(str(number), "is odd", Kind.UNDOCUMENTED) for number in range(5)]

    assert hold(findings) == Held("strict: 0 is odd; 1 is odd; 2 is odd; and 2 more")
