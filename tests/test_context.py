"""An event's line: byte for byte what `json.dumps` makes of the whole payload."""

from __future__ import annotations

import json
from enum import Enum, IntEnum, StrEnum
from typing import Any

import pytest

from telemetry_spool.context import ContextTemplate, template_of

DATE = "2026-03-10T12:00:00.123456+00:00"
OTHER_DATE = "2027-01-01T00:00:00+00:00"


class Kind(str, Enum):  # noqa: UP042 - this is how Flower does it
    """As Flower's `EventType`: a string that prints as something else."""

    RUN_ENTER = "RUN_ENTER"

    def __str__(self) -> str:
        return "printed otherwise"


class Newer(StrEnum):
    """A string that is an enum since Python 3.11."""

    RUN_ENTER = "RUN_ENTER"


class Number(IntEnum):
    """An integer that has a name."""

    ONE = 1


DETAILS: dict[str, dict[Any, Any] | None] = {
    "none": None,
    "empty": {},
    "text": {"ü": "日本語 \U0001f33c", "quotes": "\"'\\", "control": "\0\n\r\t\x7f\u2028"},
    "half a pair": {"surrogate": "\udcff"},
    "looks like a date": {"date": DATE, "context": {"date": OTHER_DATE}},
    "looks like the template": {"a": '", "context": {"date": "', "b": "}}}"},
    "numbers": {"int": 2**70, "float": 0.1, "large": 1e300, "negative": -0.0, "small": 5e-324},
    "not a number": {"nan": float("nan"), "inf": float("inf")},
    "other keys": {1: "one", None: "none", False: "false", 1.5: "float"},
    "nested": {"a": [1, [2, {"b": (3, None, True, False)}]], "c": {"d": {"e": {}}}},
    "enums": {"kind": Kind.RUN_ENTER, "newer": Newer.RUN_ENTER, "number": Number.ONE},
}

CONTEXTS: dict[str, dict[str, Any]] = {
    "as Flower's": {
        "partner": "unavailable",
        "source": "5f7d1f6c-0000-4000-8000-000000000000",
        "cluster": "c",
        "date": DATE,
        "flower": {"package_name": "flwr", "package_version": "1.41.0"},
        "platform": {"platform": 'Linux-"ü"', "architecture": ["64bit", "ELF"]},
    },
    "date first": {"date": DATE, "a": "b"},
    "date last": {"a": "b", "date": DATE},
    "date only": {"date": DATE},
}


def dumped(event_type: str, details: object, context: object) -> bytes:
    """Return what Flower sends."""
    payload = {"event_type": event_type, "event_details": details, "context": context}
    return json.dumps(payload).encode()


@pytest.mark.parametrize("event_type", [Kind.RUN_ENTER, Newer.RUN_ENTER, "plain", 'q"\n'])
@pytest.mark.parametrize("details", DETAILS.values(), ids=DETAILS.keys())
@pytest.mark.parametrize("context", CONTEXTS.values(), ids=CONTEXTS.keys())
def test_a_line_is_what_json_makes_of_the_payload(
    context: dict[str, Any], details: dict[str, Any] | None, event_type: str
) -> None:
    """Whatever the details are, and for another date than that of the first event."""
    template = template_of(dumped("FIRST", {}, context))
    assert template is not None

    line = template.line(event_type, details, OTHER_DATE)

    wanted = {} if details is None else details
    assert line == dumped(event_type, wanted, context | {"date": OTHER_DATE})
    assert b"\n" not in line


@pytest.mark.parametrize("details", DETAILS.values(), ids=DETAILS.keys())
def test_a_context_is_found_behind_any_details(details: dict[str, Any] | None) -> None:
    """The first event of a process may have details of every kind."""
    context = CONTEXTS["as Flower's"]

    template = template_of(dumped(Kind.RUN_ENTER, details or {}, context))

    assert template is not None
    assert template.line("X", None, DATE) == dumped("X", {}, context)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"not json",
        b"[]",
        b"1",
        b"null",
        b"\xff",
        b"{}",
        b'{"event_type": "X", "event_details": {}, "context": {}}',
        b'{"event_type": "X", "event_details": {}, "context": {"date": ""}}',
        b'{"event_type": "X", "event_details": {}, "context": {"date": 1}}',
        b'{"event_type": "X", "event_details": {}, "context": {"date": null}}',
        b'{"event_type": "X", "event_details": {}, "context": [1]}',
        b'{"event_details": {}, "event_type": "X", "context": {"date": "d"}}',
        b'{"event_type": "X", "event_details": {}, "context": {"date": "d"}, "more": 1}',
        b'{"event_type": "X","event_details": {}, "context": {"date": "d"}}',
        '{"event_type": "ü", "event_details": {}, "context": {"date": "d"}}'.encode(),
        b'{"event_type": "X", "event_details": {}, "context": {"date": "d", "also": "d"}}',
        b'{"event_type": "X", "event_details": {}, "context": {"d": 1, "date": "d"}}',
    ],
)
def test_a_line_that_is_made_otherwise_has_no_template(line: bytes) -> None:
    """Then Flower builds each event itself: slower, and never wrong."""
    assert template_of(line) is None


@pytest.mark.parametrize("details", [{"a": {1}}, {"a": b""}, {(1,): 1}, {"a": object()}])
def test_details_that_cannot_be_expressed_are_a_type_error(details: dict[Any, Any]) -> None:
    """As with `json.dumps`."""
    with pytest.raises(TypeError):
        ContextTemplate("{", "}").line("X", details, DATE)


def test_a_circle_is_a_value_error() -> None:
    """As with `json.dumps`."""
    circle: dict[str, object] = {}
    circle["self"] = circle

    with pytest.raises(ValueError, match="Circular"):
        ContextTemplate("{", "}").line("X", circle, DATE)
