"""What the page says: the mode and its rule, figures, what waits, the record, fields; bounds."""

from __future__ import annotations

import os
import re
import zipfile
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest

from telemetry_spool.page.tally import MOST_BYTES, MOST_ENTRIES
from telemetry_spool.schema import fields
from tests.e2e.conftest import Site
from tests.page.conftest import ENDPOINT, NOW, event, fill, new_site
from tests.support.environments import wheel


class _Text(HTMLParser):
    """Takes the text out of HTML, without style and script."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[str] = []
        self.inside = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002
        self.inside = tag

    def handle_data(self, data: str) -> None:
        if self.inside not in ("style", "script"):
            self.pieces.append(data)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """Return a site of its own."""
    return new_site(tmp_path)


def html_of(site: Site) -> str:
    """Return the page."""
    done = site.telemetry_spool("view", "--output", "-")
    assert (done.code, done.stderr) == (0, "")
    return done.stdout


def text_of(site: Site) -> str:
    """Return what the page says, with single spaces."""
    parser = _Text()
    parser.feed(html_of(site))
    return re.sub(r"\s+", " ", " ".join(parser.pieces))


def test_the_mode_its_rule_and_its_remedy(site: Site) -> None:
    """Each way to decide is named with what has to be done about it."""
    assert "Decided by: default: nothing was chosen" in text_of(site)

    site.telemetry_spool("local")
    assert "Decided by: chosen with telemetry-spool local" in text_of(site)

    site.environ["DO_NOT_TRACK"] = "1"
    said = text_of(site)
    assert "Telemetry is off" in said
    assert "Decided by: DO_NOT_TRACK is set" in said
    assert "unset the variable named above" in said
    assert "Nothing: the mode is off." in said


def test_the_figures_count_everything(site: Site) -> None:
    """Pending, local, sent, rejected and lost."""
    fill(site)
    said = text_of(site)
    figures = dict(re.findall(r"(Pending|Local|Sent|Rejected|Lost) +([\d,]+) ", said))
    assert figures == {"Pending": "16", "Local": "2", "Sent": "5", "Rejected": "2", "Lost": "3"}


def test_what_goes_next_and_why_it_waits(site: Site) -> None:
    """The first request is there as it will go, and so is what the uploader says."""
    fill(site)
    said = text_of(site)

    assert "16 events, the oldest first, one request each." in said
    assert "The endpoint cannot take events now: " in said
    assert f"Endpoint {ENDPOINT}" in said
    assert "First in line PENDING_0 of" in said
    assert "User-Agent flwr/1.41.0" in said
    assert f"Content-Length {len(event('PENDING_0', {'n': 0}))}" in said


def test_without_an_uploader_it_says_how_to_start_one(site: Site) -> None:
    """Advice is a line that can be typed."""
    site.record([event("A", {})])
    said = text_of(site)
    assert "No uploader has run with this spool yet." in said
    assert "Start the uploader: telemetry-uploader run" in said


def test_between_two_single_runs_it_says_that_the_next_one_sends(site: Site) -> None:
    """A service on demand is not running, and nothing is wrong with that."""
    site.record([event("A", {})])
    site.set(endpoint="http://127.0.0.1:9/")
    assert site.uploader("once", "--wait", "0").code == os.EX_TEMPFAIL

    said = text_of(site)

    assert "A single run of the uploader ended" in said
    assert "The next one sends what is here." in said


def test_receipts_losses_and_dead_letters_are_told_of(site: Site) -> None:
    """Where and when an event went, what was answered, why something is lost."""
    fill(site)
    said = text_of(site)
    assert f"Sent to {ENDPOINT}" in said
    assert "Its content was deleted here when it was accepted." in said
    assert "HTTP status 422" in said
    assert "3 events:" in said


def test_every_field_is_there_with_its_reason_and_its_value_here(site: Site) -> None:
    """The schema is the source; what Flower's pages do not mention is marked."""
    site.record([event("A", {"backend": "ray-here"})])
    said = text_of(site)
    for field in fields():
        assert f"{field.path} " in said
        assert field.what in said
        assert field.why in said
        assert field.source in said
    assert "Here ray-here" in said
    unmentioned = sum(not field.documented for field in fields())
    assert html_of(site).count("<strong>Flower&#x27;s code; on no page") == unmentioned > 0


def test_ten_thousand_events_make_a_small_page_that_says_what_it_leaves_out(site: Site) -> None:
    """The newest are whole, all are counted."""
    site.record([event(f"TYPE_{n % 7}", {"n": n}) for n in range(10_000)])
    page = html_of(site)

    assert page.count('class="event"') == MOST_ENTRIES
    assert len(page) < 3 * MOST_BYTES
    assert f"the newest {MOST_ENTRIES} of 10,000 pending" in page
    assert "&quot;n&quot;: 9999\n" in page
    assert "&quot;n&quot;: 9699\n" not in page
    said = text_of(site)
    for n in range(7):
        assert f"TYPE_{n} {1429 if n < 4 else 1428:,}" in said


def test_large_events_are_bounded_by_their_bytes(site: Site) -> None:
    """And a million different types by their number."""
    site.record([event(f"TYPE_{n}", {"text": "W" * 60_000}) for n in range(300)])
    page = html_of(site)

    assert 10 < page.count('class="event"') <= MOST_BYTES // 60_000
    assert len(page) < 3 * MOST_BYTES
    assert "(other types)" in page


def test_what_cannot_be_read_is_named_and_hides_nothing_else(site: Site) -> None:
    """A segment that is a link to nowhere, dates that are none, lines that are no events."""
    fill(site)
    site.record([event("A", {}), b"no JSON", b"[1, 2]", b'{"event_type": 7}'])
    site.record([b'{"event_type": "ODD", "context": {"date": "0000-99-99"}}'])
    site.record([b'{"event_type": "LATE", "context": {"date": "9999-12-31T23:59:59+00:00"}}'])
    said = text_of(site)
    assert "(not an event)" in said
    assert "It will be set aside, not sent." in said
    assert "ODD 0000-99-99" in said
    assert "LATE 9999-12-31 23:59:59" in said
    assert "5 more are older than this, or have no date" in said


@pytest.mark.parametrize(
    ("age", "unit"),
    [(timedelta(hours=3), "hour"), (timedelta(days=20), "day"), (timedelta(days=80), "week")],
)
def test_the_bars_fit_the_time_that_there_is_to_show(site: Site, age: timedelta, unit: str) -> None:
    """Hours for a day, days for a month, weeks for a quarter; the same numbers as a table."""
    site.record([event("A", {}, NOW - age), event("A", {}, datetime.now(tz=UTC))])
    page = html_of(site)
    assert f"One bar is one {unit}." in page
    assert len(re.findall(r"<rect", page)) == 2
    assert re.search(r'aria-label="Pending: 2 in this time, 1 of them in the ', page)
    assert len(re.findall(r'<th scope="row">\d{4}-', page)) == 2


def test_the_wheel_has_style_and_script() -> None:
    """Without them there would be no page."""
    with zipfile.ZipFile(wheel()) as files:
        names = set(files.namelist())
    assert {"telemetry_spool/page/style.css", "telemetry_spool/page/script.js"} <= names
