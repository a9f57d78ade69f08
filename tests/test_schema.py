"""The schema of an event: a JSON Schema that says what every field is and why it is there."""

from __future__ import annotations

import json

from jsonschema import Draft202012Validator

from telemetry_spool import schema


def test_it_is_a_json_schema() -> None:
    """Of the draft that it names."""
    Draft202012Validator.check_schema(schema.event_schema())


def test_every_field_says_what_it_is_and_why() -> None:
    """Each in a sentence, with an example and where it is known from."""
    assert len(schema.fields()) > 20
    for field in schema.fields():
        assert field.what.endswith("."), field
        assert field.why.endswith("."), field
        assert field.source.startswith("Flower"), field
        assert ("page, under" in field.source) is field.documented, field


def test_every_example_is_allowed_where_it_is() -> None:
    """The schema takes its own examples."""
    for field in schema.fields():
        part = schema.event_schema()
        for name in field.path.split("."):
            part = part["properties"][name]
        Draft202012Validator(part).validate(json.loads(field.example))


def test_every_type_of_event_has_a_meaning() -> None:
    """In a sentence, and once."""
    known = schema.event_schema()["properties"]["event_type"]["anyOf"]
    assert len(schema.event_types()) == len(known)
    assert all(meaning.endswith(".") for meaning in schema.event_types().values())
