"""Each value in an event is explained by the schema."""

from __future__ import annotations

import json

import pytest

from telemetry_spool.explaining import explained
from telemetry_spool.schema import fields, groups
from telemetry_spool.segment import event_id
from tests.conftest import Place
from tests.e2e.conftest import Site
from tests.test_conformity import whole_event


def test_every_field_is_explained() -> None:
    """What it is, why, and where that is known from."""
    found = dict(explained(whole_event()))

    assert list(found) == [
        f"{field.path} = {json.dumps(json.loads(field.example))}" for field in fields()
    ]
    for field, lines in zip(fields(), found.values(), strict=True):
        assert lines[0] == field.what
        assert lines[-2:] == [f"Why: {field.why}", f"Known from: {field.source}."]


def test_the_type_of_the_event_is_explained_too() -> None:
    """There is a sentence for each that is known."""
    ((_, known),) = explained({"event_type": "PING"})
    ((_, unknown),) = explained({"event_type": "MY_OWN"})

    assert known[1] == "This one: A sign of life, for tests."
    assert len(unknown) == len(known) - 1


@pytest.mark.parametrize("path", groups())
def test_what_is_empty_is_explained(path: str) -> None:
    """An event without details has them, empty."""
    event: object = {}
    for name in reversed(path.split(".")):
        event = {name: event}

    assert list(explained(event)) == [(f"{path} = {{}}", [groups()[path]])]


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ({"note": 1}, "note = 1"),
        ({"event_details": {"a": {"b": [1]}}}, "event_details.a.b = [1]"),
        ([1], "(event) = [1]"),
        ({}, "(event) = {}"),
    ],
)
def test_what_is_not_known_is_said_to_be_so(event: object, said: str) -> None:
    """With the command that says more."""
    assert list(explained(event)) == [
        (said, ["Flower is not known to send it; telemetry-spool audit says more."])
    ]


def test_a_deep_event_is_explained() -> None:
    """As deep as Python reads JSON."""
    event = json.loads('{"a":' * 900 + "1" + "}" * 900)

    ((said, _),) = explained(event)

    assert said == "a." * 899 + "a = 1"


@pytest.mark.parametrize("depth", [400, 950, 3000])
@pytest.mark.parametrize("arguments", [["show"], ["show", "--explain"], ["audit"]])
def test_an_event_of_any_depth_is_shown(place: Place, arguments: list[str], depth: int) -> None:
    """Where it cannot be laid out, it is shown as it is."""
    site = Site(place, "http://127.0.0.1:9/")
    event = b'{"a":' * depth + b"1" + b"}" * depth
    site.record([event])

    ended = site.telemetry_spool(*arguments, event_id(event))

    assert ended.stdout
    assert ended.stderr == ""
