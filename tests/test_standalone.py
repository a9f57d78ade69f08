"""`event()` without Flower: the payload of Flower's telemetry page, built here."""

from __future__ import annotations

import json
import os
import re
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.conftest import Place, run_python

RECORD_TWO = """
from telemetry_spool import event
event("FIRST", {"n": 1})
event("SECOND")
"""

FORK = """
import os
from telemetry_spool import event
event("PARENT")
child = os.fork()
event("CHILD" if child == 0 else "PARENT")
if child == 0:
    os._exit(0)
os.waitpid(child, 0)
"""

DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\.[0-9]{6}\+00:00"


def test_the_payload_is_that_of_flower(place: Place) -> None:
    """The same fields in the same order; the values of the machine are tested beside `machine`."""
    before = datetime.now(tz=UTC)
    run_python(RECORD_TWO, environ=place.environ)

    first, second = place.events()
    assert list(first) == ["event_type", "event_details", "context"]
    assert (first["event_type"], first["event_details"]) == ("FIRST", {"n": 1})
    assert (second["event_type"], second["event_details"]) == ("SECOND", {})
    context = first["context"]
    assert list(context) == ["partner", "source", "cluster", "date", "flower", "hw", "platform"]
    assert context["partner"] == "unavailable"
    assert context["source"] == (Path(os.environ["FLWR_HOME"]) / "source").read_text()
    assert uuid.UUID(context["cluster"]).version == 4
    assert before <= datetime.fromisoformat(context["date"]) <= datetime.now(tz=UTC)
    assert context["hw"] == {"cpu_count": os.cpu_count()}
    assert list(context["flower"]) == ["package_name", "package_version"]
    assert context["platform"]["system"] == os.uname().sysname


def test_only_the_date_of_the_context_changes_from_event_to_event(place: Place) -> None:
    """One source and one cluster a process, and time goes on."""
    run_python(RECORD_TWO, environ=place.environ)

    first, second = (event["context"] for event in place.events())
    assert first | {"date": ""} == second | {"date": ""}
    assert first["date"] <= second["date"]
    assert re.fullmatch(DATE, first["date"])
    assert datetime.fromisoformat(second["date"]).utcoffset() == timedelta(0)


def test_each_run_is_a_cluster_of_its_own_with_the_same_source(place: Place) -> None:
    """The cluster id is in memory only, the source id in its file."""
    for _ in range(2):
        run_python("from telemetry_spool import event; event('RUN')", environ=place.environ)

    first, second = (event["context"] for event in place.events())
    assert first["cluster"] != second["cluster"]
    assert first["source"] == second["source"]


def test_a_forked_child_is_of_the_same_cluster(place: Place) -> None:
    """The workers of a run belong together."""
    run_python(FORK, environ=place.environ)

    events = place.events()
    assert sorted(event["event_type"] for event in events) == ["CHILD", "PARENT", "PARENT"]
    assert len({event["context"]["cluster"] for event in events}) == 1


def test_the_home_of_flower_and_the_partner_are_honoured(place: Place, tmp_path: Path) -> None:
    """As in Flower: FLWR_HOME and FLWR_TELEMETRY_PARTNER_ID."""
    partner = "5f7d1f6c-1234-4000-8000-000000000000"

    run_python(
        "from telemetry_spool import event; event('RUN')",
        environ=place.environ
        | {"FLWR_HOME": str(tmp_path / "home"), "FLWR_TELEMETRY_PARTNER_ID": partner},
    )

    (event,) = place.events()
    assert event["context"]["partner"] == partner
    assert event["context"]["source"] == (tmp_path / "home" / "source").read_text()
    assert not Path(os.environ["FLWR_HOME"]).exists()


@pytest.mark.parametrize(
    ("directory", "package"),
    [
        ("flwr-1.41.0.dist-info", {"package_name": "flwr", "package_version": "1.41.0"}),
        (
            "flwr_nightly-1.42.0.dev1.dist-info",
            {"package_name": "flwr-nightly", "package_version": "1.42.0.dev1"},
        ),
        (
            "flwr_datasets-0.6.0.dist-info",
            {"package_name": "unknown", "package_version": "unknown"},
        ),
    ],
)
def test_the_installed_flower_is_named(
    place: Place, tmp_path: Path, directory: str, package: dict[str, str]
) -> None:
    """Found without importing it; other packages of the name's beginning are not it."""
    (tmp_path / "site" / directory).mkdir(parents=True)

    run_python(
        "import sys\nfrom telemetry_spool import event\n"
        "import telemetry_spool.standalone, platformdirs.unix, logging, tomllib, uuid, platform\n"
        "sys.path[:] = ['/nonexistent', sys.argv[1]]\n"
        "event('RUN')",
        str(tmp_path / "site"),
        environ=place.environ,
    )

    (event,) = place.events()
    assert event["context"]["flower"] == package


def test_logging_shows_each_event_as_flower_does(place: Place) -> None:
    """On stderr, in Flower's format, with the very bytes that were recorded."""
    done = run_python(RECORD_TWO, environ=place.environ | {"FLWR_TELEMETRY_LOGGING": "1"})

    shown = re.findall(
        r"^DEBUG flwr-telemetry [0-9-]{10} [0-9:]{8},[0-9]{3} \| \w+\.py:[0-9]+ \| "
        rf"({DATE}) - POST - (.*)$",
        done.stderr,
        re.MULTILINE,
    )
    assert [line.encode() for _, line in shown] == place.lines()
    assert [date for date, _ in shown] == [event["context"]["date"] for event in place.events()]
    assert len(done.stderr.splitlines()) == 2
    assert done.stdout == ""


def test_logging_shows_what_would_be_sent_and_makes_nothing_where_it_is_off(place: Place) -> None:
    """Looking is allowed whatever the mode; no file and no source id come of it."""
    done = run_python(
        RECORD_TWO,
        environ=place.environ | {"FLWR_TELEMETRY_LOGGING": "1", "FLWR_TELEMETRY_ENABLED": "0"},
    )

    shown = [json.loads(line.split(" - POST - ")[1]) for line in done.stderr.splitlines()]
    assert [event["event_type"] for event in shown] == ["FIRST", "SECOND"]
    assert {event["context"]["source"] for event in shown} == {"unavailable"}
    assert not place.root.exists()
    assert not Path(os.environ["FLWR_HOME"]).exists()


def test_a_logger_that_flower_has_set_up_stays_as_it_is(place: Place) -> None:
    """Each event is shown once."""
    done = run_python(
        """
import logging
logger = logging.getLogger("flwr-telemetry")
logger.addHandler(logging.StreamHandler())
logger.setLevel(logging.DEBUG)
"""
        + RECORD_TWO,
        environ=place.environ | {"FLWR_TELEMETRY_LOGGING": "1"},
    )

    assert len(done.stderr.splitlines()) == 2
    assert done.stderr.count(" - POST - ") == 2


def test_an_event_is_in_the_file_when_the_call_returns(place: Place) -> None:
    """A process that dies at once, without exit hooks, has lost nothing."""
    run_python(
        "import os\nfrom telemetry_spool import event\nevent('LAST')\nos._exit(0)",
        environ=place.environ,
    )

    assert [event["event_type"] for event in place.events()] == ["LAST"]
