"""Our comparison of an event with its schema finds what the library `jsonschema` finds."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from telemetry_spool.conformity import Path, deviations
from telemetry_spool.schema import event_schema, fields

# What our comparison knows, and what says nothing about a value.
RULES = {
    *("type", "const", "anyOf", "pattern", "minimum"),
    *("items", "properties", "required", "additionalProperties"),
}
REMARKS = {"$schema", "title", "description", "examples"}

LIBRARY = Draft202012Validator(event_schema())


def whole_event() -> dict[str, Any]:
    """Return an event that has every field there is, each with its example."""
    event: dict[str, Any] = {}
    for field in fields():
        part = event
        *groups, name = field.path.split(".")
        for group in groups:
            part = part.setdefault(group, {})
        part[name] = json.loads(field.example)
    return event


def ours(event: object) -> set[Path]:
    """Return where our comparison finds something."""
    return {path for path, _ in deviations(event, event_schema())}


def theirs(event: object) -> set[Path]:
    """Return where the library finds something; it reports unknown and missing keys in groups."""
    found: set[Path] = set()
    for error in LIBRARY.iter_errors(event):
        path = tuple(map(str, error.absolute_path))
        value: Any = error.instance
        if error.validator == "additionalProperties":
            found |= {(*path, name) for name in value if name not in error.schema["properties"]}
        elif error.validator == "required":
            found |= {(*path, name) for name in error.validator_value if name not in value}
        else:
            found.add(path)
    return found


def words_of(schema: dict[str, Any]) -> set[str]:
    """Return the words of JSON Schema's language in a schema."""
    inner = [*schema.get("properties", {}).values(), *schema.get("anyOf", [])]
    if "items" in schema:
        inner.append(schema["items"])
    return set(schema).union(*map(words_of, inner))


def test_every_word_of_the_schema_is_known() -> None:
    """A rule that nobody checks would be none."""
    rules = {word for word in words_of(event_schema()) if not word.startswith("x-")} - REMARKS

    assert rules == RULES


def test_an_event_with_every_field_is_as_the_schema_says() -> None:
    """Also to the library."""
    assert ours(whole_event()) == theirs(whole_event()) == set()


# Values that are nearly right: of the right type, of a similar one, from a similar place.
VALUES: tuple[Any, ...] = (
    *(None, True, False, -1, 0, 1, 1.0, 0.0, 1.5, float("inf"), float("nan")),
    *("", "\n", "ü", "1", "invalid", "PING", "ping", "1" * 64, "g" * 64, "PING "),
    *([], [1], ["64bit"], ["64bit", None], {}, {"cpu_count": 8}, {"note": 1}, {"0": "64bit"}),
    *(json.loads(field.example) for field in fields()),
    *(f"{json.loads(field.example)}x" for field in fields()),
)
PLACES = (
    *("context", "context.hw", "context.platform", "event_details", "event_details.note", "note"),
    *("context.hw.note", "context.platform.architecture.0"),
    *(field.path for field in fields()),
)


def put(event: dict[str, Any], place: str, value: object) -> Any:
    """Return the event with a value in a place."""
    part: Any = event
    *groups, name = place.split(".")
    for group in groups:
        part = part[group]
    part[int(name) if isinstance(part, list) else name] = value
    return event


@pytest.mark.parametrize("place", PLACES)
def test_whatever_is_changed_in_an_event_is_found(place: str) -> None:
    """Where the library finds it, and nowhere else."""
    for value in VALUES:
        event = put(whole_event(), place, value)

        assert ours(event) == theirs(event), value


@pytest.mark.parametrize("event", [None, 1, "PING", [], [{}], {}, True])
def test_what_is_no_event_at_all_is_found(event: object) -> None:
    """And nothing breaks."""
    assert ours(event) == theirs(event) != set()


@pytest.mark.parametrize(
    ("place", "value", "problem"),
    [
        ("context.source", "alice", "has a value that Flower is not known to send"),
        ("context.date", "yesterday", "has a value that Flower is not known to send"),
        ("context.hw.cpu_count", "8", "is no integer or null"),
        ("event_type", "MY_EXPERIMENT", "has a value that Flower is not known to send"),
        ("event_details.note", 1, "is a field that Flower is not known to send"),
    ],
)
def test_a_problem_is_said_in_words(place: str, value: object, problem: str) -> None:
    """A person reads them behind the path."""
    event = put(whole_event(), place, value)

    assert list(deviations(event, event_schema())) == [(tuple(place.split(".")), problem)]


def test_a_missing_part_is_named() -> None:
    """By its own path."""
    assert list(deviations({"event_type": "PING"}, event_schema())) == [
        (("context",), "is missing")
    ]
