"""A line becomes an event, or it is said why not."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

import pytest

from telemetry_spool import __version__
from telemetry_spool.events import Event, Malformed, parse
from telemetry_spool.headers import headers
from telemetry_spool.segment import Line

FALLBACK = f"flwr-telemetry-spool/{__version__}"


def line(data: bytes, *, cut: bool = False) -> Line:
    """Return a line at the beginning of its segment."""
    return Line(0, len(data) + 1, data, cut)


def event(payload: Any) -> Event:
    """Parse an event that is one."""
    parsed = parse(line(json.dumps(payload).encode()))
    assert isinstance(parsed, Event)
    return parsed


def flower(name: object, version: object) -> dict[str, Any]:
    """Return an event that says which package made it."""
    return {"context": {"flower": {"package_name": name, "package_version": version}}}


def test_the_body_is_the_line_as_it_is() -> None:
    """Not what a parser would make of it."""
    data = b' {"event_type":"RUN",  "a": 1.0, "a": 2, "u": "\xc3\xbc"} '

    parsed = parse(line(data))

    assert isinstance(parsed, Event)
    assert parsed.body == data
    assert parsed.id == sha256(data).hexdigest()


def test_the_headers_are_flowers_and_the_key() -> None:
    """What Flower would have sent, and an id that is the same each time."""
    parsed = event(flower("flwr", "1.41.0"))

    assert headers(parsed) == {
        "Content-Type": "application/json",
        "User-Agent": "flwr/1.41.0",
        "Idempotency-Key": parsed.id,
    }


@pytest.mark.parametrize(
    ("payload", "agent"),
    [
        pytest.param(flower("flwr", "1.41.0"), "flwr/1.41.0", id="Flower"),
        pytest.param(
            flower("flwr-nightly", "1.42.0.dev20260310+g0f"),
            "flwr-nightly/1.42.0.dev20260310+g0f",
            id="nightly",
        ),
        pytest.param(
            {"context": {"package": {"package_name": "flwr_datasets", "package_version": "0.6.0"}}},
            "flwr_datasets/0.6.0",
            id="Flower Datasets says package",
        ),
        pytest.param(flower("flwr\r\nX-Injected: 1", "1"), FALLBACK, id="header injection"),
        pytest.param(flower("flwr", "1\n"), FALLBACK, id="newline at the end"),
        pytest.param(flower("flwr/1 (evil", "1"), FALLBACK, id="product with a comment"),
        pytest.param(flower("flwr", "1.0 2.0"), FALLBACK, id="space"),
        pytest.param(flower("flẅr", "1"), FALLBACK, id="not ASCII"),
        pytest.param(flower("", "1"), FALLBACK, id="empty name"),
        pytest.param(flower("flwr", "x" * 65), FALLBACK, id="endless version"),
        pytest.param(flower(None, None), FALLBACK, id="null"),
        pytest.param(flower(["flwr"], {"a": 1}), FALLBACK, id="no strings"),
        pytest.param(flower("unknown", "unknown"), "unknown/unknown", id="Flower's own unknown"),
        pytest.param({"context": {"flower": "flwr"}}, FALLBACK, id="flower is no object"),
        pytest.param({"context": {"flower": {}}}, FALLBACK, id="flower is empty"),
        pytest.param({"context": ["flower"]}, FALLBACK, id="context is no object"),
        pytest.param({}, FALLBACK, id="nothing"),
    ],
)
def test_the_user_agent_is_the_one_of_the_event(payload: Any, agent: str) -> None:
    """An event of last month is sent as that Flower would have sent it; a hostile one is not."""
    assert headers(event(payload))["User-Agent"] == agent


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(b"RUN", "not JSON: Expecting value", id="a word"),
        pytest.param(b"", "not JSON: Expecting value", id="empty"),
        pytest.param(b'{"a": 1', "not JSON: Expecting ',' delimiter", id="cut in the middle"),
        pytest.param(b'{"a": 1}{"b": 2}', "not JSON: Extra data", id="two objects run together"),
        pytest.param(b'{"a": 1} x', "not JSON: Extra data", id="rest of another line"),
        pytest.param(b'{"a": "\x00"}', "not JSON: Invalid control character", id="NUL in text"),
        pytest.param(b"\x00" * 512, "not JSON: Expecting value", id="zeros after a power cut"),
        pytest.param(b'{"a": "\xff"}', "not JSON: 'utf-8' codec can't decode", id="invalid UTF-8"),
        pytest.param(b'\xef\xbb\xbf{"a": 1}', "not JSON: Unexpected UTF-8 BOM", id="BOM"),
        pytest.param('{"a": 1}'.encode("utf-16"), "not JSON: 'utf-8' codec", id="UTF-16"),
        pytest.param(b'{"a": ' * 50_000, "not JSON: maximum recursion", id="nested too deep"),
        pytest.param(b'{"a": ' + b"9" * 5000 + b"}", "not JSON: Exceeds the limit", id="digits"),
        pytest.param(b"[1, 2]", "not one JSON object", id="array"),
        pytest.param(b'"RUN"', "not one JSON object", id="string"),
        pytest.param(b"null", "not one JSON object", id="null"),
        pytest.param(b"1", "not one JSON object", id="number"),
    ],
)
def test_what_is_not_one_json_object_is_no_event(data: bytes, reason: str) -> None:
    """It is set aside with the reason, and never sent."""
    parsed = parse(line(data))

    assert isinstance(parsed, Malformed)
    assert parsed.reason.startswith(reason)


def test_a_line_that_was_cut_is_no_event() -> None:
    """Even if what is left of it is JSON."""
    parsed = parse(Line(100, 70_000, b'{"a": 1}', cut=True))

    assert parsed == Malformed("longer than any event: 69900 bytes")


@pytest.mark.parametrize(
    ("payload", "event_type", "date"),
    [
        pytest.param({"event_type": "RUN", "context": {"date": "now"}}, "RUN", "now", id="plain"),
        pytest.param(
            {"event_type": "x" * 200, "context": {"date": "y" * 200}},
            "x" * 100,
            "y" * 100,
            id="cut",
        ),
        pytest.param({}, "", "", id="absent"),
        pytest.param({"event_type": None, "context": None}, "", "", id="null"),
        pytest.param({"event_type": [["a"]], "context": {"date": {}}}, "", "", id="no strings"),
        pytest.param({"event_type": "\ud800\n"}, "\ud800\n", "", id="half a surrogate pair"),
    ],
)
def test_labels_are_short_strings(payload: Any, event_type: str, date: str) -> None:
    """They name the event in its receipt; whatever else stands there names nothing."""
    parsed = event(payload)

    assert (parsed.event_type, parsed.date) == (event_type, date)


@pytest.mark.parametrize("opening", [b'{"event_type": ', b'{"context": {"date": '])
def test_no_depth_of_nesting_raises(opening: bytes) -> None:
    """What is just not too deep for the parser is not too deep for what comes after it."""
    for depth in range(800, 1100):
        closing = b"}" * opening.count(b"{")
        data = opening + b"[" * depth + b"]" * depth + closing

        assert isinstance(parse(line(data)), (Event, Malformed))
