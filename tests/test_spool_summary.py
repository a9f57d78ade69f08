"""`telemetry-spool stats` and `preview`: figures that are right, in any width and encoding."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from telemetry_spool.charts import bars
from telemetry_spool.consent import Mode, choose
from telemetry_spool.paths import mode_file
from tests.conftest import Place
from tests.e2e.conftest import Site
from tests.support.endpoint import Endpoint
from tests.support.events import event

TODAY = datetime.now(tz=UTC)
OLD = TODAY - timedelta(days=20)
EVENTS = [
    event("RUN_ENTER", date=TODAY.isoformat()),
    event("RUN_ENTER", date=OLD.isoformat(), version="1.20.0"),
    event("RUN_LEAVE", date=TODAY.isoformat()),
]


@pytest.fixture
def site(place: Place) -> Site:
    """Return a site with events of two days, types, versions and states, and no event."""
    site = Site(place, "http://127.0.0.1:9/")
    site.record(EVENTS)
    site.record([b"no event"])
    site.record([event("PRIVATE", date=TODAY.isoformat())], local=True)
    receipts = place.root / "receipts" / "2026-03-10.jsonl"
    receipts.parent.mkdir()
    receipts.write_text(
        json.dumps({"id": "5e", "event_type": "SENT", "date": TODAY.isoformat()})
        + "\n"
        + json.dumps({"lost": 3, "reason": "full", "lost_at": OLD.isoformat()})
        + "\n"
    )
    return site


def test_stats_count_everything_that_is_known(site: Site) -> None:
    """By state, type, version, day."""
    assert json.loads(site.telemetry_spool("stats", "--json").stdout) == {
        "states": {"pending": 4, "lost": 3, "local": 1, "sent": 1},
        "types": {"RUN_ENTER": 2, "RUN_LEAVE": 1, "(not an event)": 1, "PRIVATE": 1, "SENT": 1},
        "versions": {"1.41.0": 3, "1.20.0": 1},
        "days": {f"{OLD:%Y-%m-%d}": 4, f"{TODAY:%Y-%m-%d}": 4, "(no date)": 1},
    }


def test_stats_can_be_filtered(site: Site) -> None:
    """As a list can."""
    shown = json.loads(site.telemetry_spool("stats", "--type", "run_*", "--json").stdout)

    assert (shown["states"], shown["versions"]) == ({"pending": 3}, {"1.41.0": 2, "1.20.0": 1})


def test_stats_show_bars_that_every_terminal_knows(site: Site) -> None:
    """The number is beside each: nothing is said by the bar alone."""
    site.environ |= {"PYTHONIOENCODING": "ascii"}
    shown = site.telemetry_spool("stats").stdout.splitlines()

    assert shown[:2] == ["By state", f"  pending  4  {'#' * 66}"]
    assert shown[2].split()[:2] == ["lost", "3"]
    assert all(row.isascii() and len(row) <= 80 for row in shown)

    site.environ |= {"PYTHONIOENCODING": "utf-8"}
    assert "█" in site.telemetry_spool("stats").stdout


def test_stats_of_nothing_say_so(place: Place) -> None:
    """In one line."""
    site = Site(place, "http://127.0.0.1:9/")

    assert site.telemetry_spool("stats").stdout == "There are no events.\n"


@pytest.mark.parametrize("width", [20, 40, 80])
def test_bars_keep_within_their_width(width: int) -> None:
    """Whatever the labels and numbers; the longest bar is that of the largest number."""
    counts = {"a" * 100: 1, "b\x1b[31m": 1_234_567, "": 0, "c": 600_000}

    rows = bars(counts, width, ascii_only=True)

    assert len(rows) == 4
    assert all(len(row) <= width and row.isprintable() for row in rows)
    lengths = [row.count("#") for row in rows]
    assert lengths[1] == max(lengths)
    assert lengths[2] == 0
    if width == 80:
        assert lengths[0] == 1
        assert 2 * lengths[3] - lengths[1] in (-2, -1, 0, 1)


def test_preview_shows_the_request_as_it_arrives(place: Place) -> None:
    """Every header but Host, and the exact body."""
    with Endpoint() as endpoint:
        site = Site(place, endpoint.url)
        site.record(EVENTS)

        first = json.loads(site.telemetry_spool("preview", "--json").stdout)["first"]
        assert site.uploader("once").code == 0

    arrived = next(one for one in endpoint.requests if one.body.decode() == first["body"])
    assert first["body"].encode() == EVENTS[0]
    assert {"Host": arrived.headers["Host"], **first["headers"]} == dict(arrived.headers.items())


def test_preview_counts_what_would_go_and_what_could_have_gone(site: Site) -> None:
    """What is no event is not sent; the last days have what was recorded, whatever the mode."""
    shown = json.loads(site.telemetry_spool("preview", "--json").stdout)

    assert (shown["mode"], shown["events"]) == ("on", 3)
    assert shown["bytes"] == sum(map(len, EVENTS))
    assert shown["had_the_mode_been_on"] == {"pending": 2, "local": 1, "sent": 1, "rejected": 0}
    month = json.loads(site.telemetry_spool("preview", "--days", "30", "--json").stdout)
    assert month["had_the_mode_been_on"]["pending"] == 3


@pytest.mark.parametrize("mode", [Mode.LOCAL, Mode.OFF], ids=["local", "off"])
def test_preview_asks_for_consent(site: Site, mode: Mode) -> None:
    """In these modes nothing would go, and it says why."""
    path = mode_file()
    assert path is not None
    choose(path, mode)

    shown = site.telemetry_spool("preview").stdout.splitlines()

    assert shown[0] == f"The mode is {mode.value} (chosen with telemetry-spool {mode.value})."
    assert shown[1] == "The next upload would send nothing."
    assert json.loads(site.telemetry_spool("preview", "--json").stdout)["events"] == 0


def test_preview_in_mode_local_shows_what_was_chosen(site: Site) -> None:
    """And only that."""
    path = mode_file()
    assert path is not None
    choose(path, Mode.LOCAL)
    (row,) = site.telemetry_spool("list", "--state", "local", "--json").stdout.splitlines()
    site.telemetry_spool("send", "--yes", json.loads(row)["id"])

    shown = json.loads(site.telemetry_spool("preview", "--json").stdout)

    assert shown["events"] == 1
    assert json.loads(shown["first"]["body"])["event_type"] == "PRIVATE"
