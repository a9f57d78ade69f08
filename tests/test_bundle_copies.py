"""Copies for reading: exact lines, or a table that no spreadsheet runs."""

from __future__ import annotations

import csv
import io
import json
import tracemalloc
from pathlib import Path

import pytest

from telemetry_spool import listing
from telemetry_spool.bundle.copies import Copied, Copy, cell, copy
from telemetry_spool.segment import event_id
from tests.conftest import Place
from tests.e2e.conftest import line
from tests.support import carried
from tests.support.carried import event, events


def copied(place: Place, kind: Copy) -> tuple[bytes, Copied]:
    """Return a copy of what is pending."""
    target = io.BytesIO()
    done = copy(place.spool, kind, target)
    return target.getvalue(), done


def table(place: Place) -> list[dict[str, str]]:
    """Return the rows of a CSV copy."""
    text = copied(place, Copy.CSV)[0].decode()
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_json_lines_are_the_exact_lines(place: Place) -> None:
    """Of what is pending and of mode local; the spool stays as it is."""
    length = len(event(1)) + 1
    carried.segment(place, 1, *events(1, 2), acked=f"{length}\n")
    place.open().append(event(3), local=True)
    before = place.names()

    content, done = copied(place, Copy.JSONL)

    assert content.splitlines() == events(2, 3)
    assert (done.events, done.left_out, place.names()) == (2, 0, before)


def test_what_is_no_event_is_left_out_and_counted(place: Place) -> None:
    """A reader of JSON lines would stop at it."""
    carried.segment(place, 1, b"no event", event(1), b"[1]")

    content, done = copied(place, Copy.JSONL)

    assert (content.splitlines(), done.left_out) == (events(1), 2)


def test_a_table_has_what_an_event_says(place: Place) -> None:
    """In columns of their own; details as JSON."""
    carried.segment(place, 1, line(1))

    (row,) = table(place)

    assert row["id"] == event_id(line(1))
    assert (row["event_type"], row["state"]) == ("CLIENTAPP_ENTER", "pending")
    assert row["date"] == "2026-03-10T12:00:00.000001+00:00"
    assert (row["flower_package"], row["flower_version"]) == ("flwr", "1.41.0")
    assert json.loads(row["event_details"])["number"] == 1
    assert row["cluster"] == ""


@pytest.mark.parametrize("start", [*"=+-@\t\r", "\n=", "\uff1d"])
def test_no_cell_is_a_formula(place: Place, start: str) -> None:
    """What is in an event comes from anywhere, and a spreadsheet runs what begins so."""
    hostile = f'{start}cmd|" /C calc"!A0'
    content = {"event_type": hostile, "context": {"partner": hostile, "source": [hostile]}}
    carried.segment(place, 1, json.dumps(content).encode())

    (row,) = table(place)

    assert (row["event_type"], row["partner"]) == (f"'{hostile}", f"'{hostile}")
    for value in row.values():
        assert not value.startswith(("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d"))


@pytest.mark.parametrize(
    ("value", "expected"),
    [(None, ""), (4, "4"), (-4, "-4"), (True, "true"), ("x", "x"), (["a"], '["a"]'), ({}, "{}")],
)
def test_a_value_as_a_cell(value: object, expected: str) -> None:
    """A number stays a number, also a negative one."""
    assert cell(value) == expected


def test_context_of_another_shape_leaves_cells_empty(place: Place) -> None:
    """An event may say anything."""
    lines = [b'{"context": {"flower": 5, "hw": []}}', b'{"context": 1}', b"{}"]
    carried.segment(place, 1, *lines)

    assert [row["flower_version"] for row in table(place)] == ["", "", ""]


def test_text_that_is_no_text_is_escaped(place: Place) -> None:
    """Half a character is valid JSON."""
    carried.segment(place, 1, b'{"event_type": "\\ud800"}')

    (row,) = table(place)

    assert row["event_type"] == "\\ud800"


def test_a_segment_that_cannot_be_read_is_named(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others are copied."""
    broken = carried.segment(place, 1, event(1))
    carried.segment(place, 2, event(2))
    opened = listing.open_segment

    def refuse(path: str, **options: bool) -> int:
        if path == str(broken):
            raise PermissionError(13, "Permission denied", path)
        return opened(path, **options)

    monkeypatch.setattr(listing, "open_segment", refuse)

    content, done = copied(place, Copy.JSONL)

    assert content.splitlines() == events(2)
    assert done.problems == [f"{broken} cannot be read: Permission denied"]


@pytest.mark.parametrize("kind", Copy)
def test_a_copy_takes_little_memory(place: Place, tmp_path: Path, kind: Copy) -> None:
    """It is written as it is read: 20 MiB of events pass through a few."""
    text = json.dumps({"event_type": "T", "padding": "x" * 2000}).encode()
    carried.segment(place, 1, *([text] * 10_000))

    with (tmp_path / "copy").open("wb") as target:
        tracemalloc.start()
        copy(place.spool, kind, target)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()

    assert peak < 4 * 2**20
