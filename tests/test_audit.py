"""An event is audited: what is documented, what is not, and what looks personal."""

from __future__ import annotations

import json
from typing import Any

import pytest

from telemetry_spool.audit import Finding, Kind, audit, is_clean
from telemetry_spool.personal import Owner
from tests.test_conformity import put, whole_event

USER = "the name of this user"
HOST = "the name of this host"
OWN_HOME = "the home directory of this user"
HOME = "a home directory"
EMAIL = "an e-mail address"
IP = "an IP address"
MAC = "a MAC address"

ALICE = Owner(
    user_names=frozenset({"alice"}),
    homes=frozenset({"/home/alice"}),
    host_names=frozenset({"gpu-box"}),
)
RAY = Owner(user_names=frozenset({"ray", "ping", "run"}))


def event(**details: object) -> dict[str, Any]:
    """Return an event with these details and nothing else to find but what is on no page."""
    made = whole_event()
    made["event_details"] = details
    return made


def found(audited: object, kind: Kind) -> list[tuple[str, str, str]]:
    """Return the findings of a kind."""
    return [
        (finding.path, finding.problem, finding.words)
        for finding in audit(audited, ALICE)
        if finding.kind is kind
    ]


def test_an_event_with_every_known_field_is_clean() -> None:
    """What Flower is known to send is no reason for alarm, and what its pages omit is named."""
    findings = audit(whole_event(), ALICE)

    assert is_clean(findings)
    assert {finding.problem for finding in findings} == {
        "is sent by Flower and on none of its pages"
    }
    named = [finding.path for finding in findings]
    assert named[:3] == [
        "event_details.backend",
        "event_details.num-supernodes",
        "event_details.num_clients",
    ]
    assert named[-3:] == [
        "context.partner",
        "context.date",
        "context.platform.python_implementation",
    ]
    assert "context.source" not in named


def test_what_is_not_documented_is_found() -> None:
    """Fields, values and types."""
    audited = put(event(learning_rate=0.1, success="yes"), "context.cluster", "mine")

    assert not is_clean(audit(audited, ALICE))
    assert found(audited, Kind.UNDOCUMENTED) == [
        ("event_details.learning_rate", "is a field that Flower is not known to send", ""),
        ("event_details.success", "is no boolean", ""),
        ("context.cluster", "has a value that Flower is not known to send", ""),
    ]
    assert found(audited, Kind.PERSONAL) == []


@pytest.mark.parametrize(
    ("details", "path", "looks_like", "words"),
    [
        ({"note": "by alice"}, "note", USER, "alice"),
        ({"a": {"b": ["x", "/home/alice/x"]}}, "a.b.1", OWN_HOME, "/home/alice"),
        ({"dataset_name": "/home/bob/mnist"}, "dataset_name", HOME, "/home/bob"),
        ({"split": "alice"}, "split", USER, "alice"),
        ({"host": "GPU-BOX"}, "host", HOST, "GPU-BOX"),
        ({"success": "bob@example.org"}, "success", EMAIL, "bob@example.org"),
        ({"run-id-hash": "10.1.2.3"}, "run-id-hash", IP, "10.1.2.3"),
        ({"num_clients": ["02:42:0a:00:00:02"]}, "num_clients.0", MAC, "02:42:0a:00:00:02"),
        ({"backend": {"ray": "alice"}}, "backend.ray", USER, "alice"),
    ],
)
def test_what_looks_personal_is_found_wherever_it_is(
    details: dict[str, object], path: str, looks_like: str, words: str
) -> None:
    """In fields that are known and in others, in lists and in objects."""
    assert found(event(**details), Kind.PERSONAL) == [
        (f"event_details.{path}", f"looks like {looks_like}", words)
    ]


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("context.platform.release", "6.1.0-gpu-box"),
        ("context.platform.architecture", ["64bit", "/home/alice"]),
        ("context.source", "alice"),
        ("context.flower.package_version", "1.41.0+alice"),
        ("event_type", "RUN_alice"),
        ("note", {"alice": 1}),
    ],
)
def test_no_part_of_an_event_is_passed_over(place: str, value: object) -> None:
    """Also those that have nothing personal in any event that Flower is known to send."""
    assert found(put(event(), place, value), Kind.PERSONAL) != []


def test_what_looks_personal_in_a_key_is_found_and_not_repeated() -> None:
    """A reason is written to logs; only `words` has what it is about."""
    audited = event(**{"/home/alice/x": {"a": 1}, "alice": "ok"})

    assert found(audited, Kind.PERSONAL) == [
        ("event_details", f"has a key that looks like {OWN_HOME}", "/home/alice"),
        ("event_details", f"has a key that looks like {USER}", "alice"),
    ]
    assert [path for path, _, _ in found(audited, Kind.UNDOCUMENTED)] == ["event_details.…"] * 2


@pytest.mark.parametrize("text", ["8f1f0f6c7d434b1e9f0a3f2a91c0de42", "unavailable", "invalid"])
def test_a_random_id_where_one_belongs_is_no_secret(text: str) -> None:
    """Any of the forms in which Flower takes one."""
    assert is_clean(audit(put(event(), "context.partner", text), ALICE))


def test_known_words_are_not_taken_for_names() -> None:
    """A user may be called as a part of Flower is."""
    assert is_clean(audit(put(event(backend="ray"), "event_type", "PING"), RAY))


def test_a_users_own_words_are_searched_for_any_name() -> None:
    """What a dataset is called, the user has chosen; what a backend is called, Flower has."""
    findings = audit(event(backend="ray", dataset_name="ray/mnist", split="ray"), RAY)

    personal = [finding.path for finding in findings if finding.kind is Kind.PERSONAL]
    assert personal == ["event_details.dataset_name", "event_details.split"]


def test_the_worst_comes_first() -> None:
    """Whoever reads one line reads the one that matters."""
    kinds = [finding.kind for finding in audit(event(note="alice"), ALICE)]

    assert kinds[:2] == [Kind.PERSONAL, Kind.UNDOCUMENTED]
    assert set(kinds[2:]) == {Kind.OFF_PAGE}


@pytest.mark.parametrize("value", [None, 1, "alice", [], ["alice"], {}, {"context": []}])
def test_what_is_no_event_is_a_finding(value: object) -> None:
    """And breaks nothing."""
    assert not is_clean(audit(value, ALICE))


def test_a_value_that_is_no_object_is_found_at_no_path() -> None:
    """There is nowhere to point to."""
    assert audit(1) == [Finding("", "is no object", Kind.UNDOCUMENTED)]


def test_an_event_as_deep_as_any_is_audited() -> None:
    """As deep as Python reads JSON here."""
    depth = 900
    audited = json.loads(
        '{"context": {"a":' + '[{"x":' * (depth // 2) + '"alice"' + "}]" * (depth // 2) + "}}"
    )

    assert [words for _, _, words in found(audited, Kind.PERSONAL)] == ["alice"]
