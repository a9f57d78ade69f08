"""What the log says about an endpoint: trouble and its end, and not again and again."""

from __future__ import annotations

import pytest

from uploader.announcer import QUIET_SECONDS, Announcer
from uploader.outcome import Outcome, Verdict

BUSY = Outcome(Verdict.RETRY, "HTTP 503", status=503)
REFUSED = Outcome(Verdict.RETRY, "refused")
HELD = Outcome(Verdict.HOLD, "HTTP 401", "check the setting", status=401)


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """Return what the announcer says."""
    caplog.set_level("INFO", "uploader.announcer")
    return caplog


def test_trouble_and_its_end_are_said_once(said: pytest.LogCaptureFixture) -> None:
    """However often the endpoint is tried meanwhile."""
    announcer = Announcer()
    for second in range(1000):
        announcer.trouble(HELD, float(second))
    announcer.recovered()
    announcer.recovered()

    assert said.messages == ["HTTP 401; check the setting", "the endpoint takes events again"]


def test_a_flapping_endpoint_costs_two_lines_a_minute(said: pytest.LogCaptureFixture) -> None:
    """Down and up again every second, for ten minutes."""
    announcer = Announcer()
    for second in range(int(10 * QUIET_SECONDS)):
        announcer.trouble(BUSY, second + 0.0)
        announcer.recovered()

    assert said.messages == ["HTTP 503", "the endpoint takes events again"] * 10


def test_another_kind_of_trouble_is_said_at_once(said: pytest.LogCaptureFixture) -> None:
    """A person may have to do something else about it."""
    announcer = Announcer()
    for outcome in (BUSY, REFUSED, HELD, BUSY, REFUSED):
        announcer.trouble(outcome, 1.0)

    assert said.messages == ["HTTP 503", "refused", "HTTP 401; check the setting"]


def test_trouble_that_was_passed_over_and_lasts_is_said_later(
    said: pytest.LogCaptureFixture,
) -> None:
    """Else an endpoint that goes down for good just after it came back would never be named."""
    announcer = Announcer()
    announcer.trouble(BUSY, 0.0)
    announcer.recovered()
    said.clear()
    announcer.trouble(BUSY, 1.0)
    assert said.messages == []

    announcer.trouble(BUSY, QUIET_SECONDS + 1)

    assert said.messages == ["HTTP 503"]
