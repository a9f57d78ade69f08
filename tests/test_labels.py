"""What a line says of itself: the same with `msgspec` and without it."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from telemetry_spool.events import LABEL_CHARACTERS, Malformed
from telemetry_spool.headers import OWN_AGENT
from telemetry_spool.segment import Line
from tests.support.events import event
from uploader.labels import Label, _read_all, label_of, labels_of

read_all = pytest.importorskip("uploader.fast_labels", reason="there is no msgspec").read_all

ODD = {
    "nothing": b"",
    "white space": b" \t\r ",
    "no fields": b"{}",
    "white space around": b' \t{"event_type": "A"}\r',
    "a byte order mark": b'\xef\xbb\xbf{"event_type": "A"}',
    "UTF-16": '{"event_type": "A"}'.encode("utf-16"),
    "an array": b'["A"]',
    "a string": b'"A"',
    "null": b"null",
    "two objects": b'{"event_type": "A"}{"event_type": "B"}',
    "a comma behind the last field": b'{"event_type": "A",}',
    "no end": b'{"event_type": "A"',
    "single quotes": b"{'event_type': 'A'}",
    "a type that is a number": b'{"event_type": 5}',
    "a type that is null": b'{"event_type": null}',
    "a context that is null": b'{"event_type": "A", "context": null}',
    "a context that is a list": b'{"event_type": "A", "context": []}',
    "a date that is a number": b'{"context": {"date": 20260310}}',
    "the same field twice": b'{"event_type": "A", "event_type": "B"}',
    "the same context twice": b'{"context": {"date": "1"}, "context": {}}',
    "a bad type and a good one": b'{"event_type": 1, "event_type": "B"}',
    "a field name in escapes": b'{"event\\u005ftype": "A", "c\\u006fntext": {"date": "1"}}',
    "a lone surrogate in the type": b'{"event_type": "\\ud800"}',
    "a lone surrogate elsewhere": b'{"event_type": "A", "x": "\\udc00\\ud800"}',
    "a pair of surrogates": b'{"event_type": "\\ud83d\\ude00"}',
    "a NUL": b'{"event_type": "\\u0000"}',
    "a control character in the type": b'{"event_type": "A\x01"}',
    "a control character elsewhere": b'{"event_type": "A", "x": "\x01"}',
    "a control character in a name": b'{"event_type": "A", "\x01": 1}',
    "an escape that is none": b'{"event_type": "A", "x": "\\q"}',
    "half an escape": b'{"event_type": "A", "x": "\\u12"}',
    "bad UTF-8 in the type": b'{"event_type": "\xff"}',
    "bad UTF-8 elsewhere": b'{"event_type": "A", "x": "\xc3("}',
    "surrogates in UTF-8": b'{"event_type": "A", "x": "\xed\xa0\x80"}',
    "NaN": b'{"event_type": "A", "x": NaN}',
    "infinity": b'{"event_type": "A", "x": -Infinity}',
    "a number out of range": b'{"event_type": "A", "x": 1e999999}',
    "a number of many digits": b'{"x": ' + b"9" * 4290 + b"}",
    "a number of too many digits": b'{"x": ' + b"9" * 4301 + b"}",
    "a number with a zero before it": b'{"event_type": "A", "x": 01}',
    "a number without an end": b'{"event_type": "A", "x": 1.}',
    "a number without a beginning": b'{"event_type": "A", "x": .5}',
    "a number with a plus": b'{"event_type": "A", "x": +1}',
    "minus": b'{"event_type": "A", "x": -}',
    "a number without an exponent": b'{"event_type": "A", "x": 1e}',
    "half a word": b'{"event_type": "A", "x": tru}',
    "a long type": b'{"event_type": "' + b"A" * (LABEL_CHARACTERS + 1) + b'"}',
    "as long a type as is shown": b'{"event_type": "' + b"A" * LABEL_CHARACTERS + b'"}',
    "as long a type in other letters": json.dumps({"event_type": "ü" * LABEL_CHARACTERS}).encode(),
    "a long date": b'{"context": {"date": "' + b"1" * (LABEL_CHARACTERS + 1) + b'"}}',
    "an empty package": b'{"context": {"flower": {}, "package": {}}}',
    "Flower's own package": event("A"),
    "no Flower, but a package": b'{"context": {"flower": null, "package": '
    b'{"package_name": "a", "package_version": "1"}}}',
    "an empty Flower, but a package": b'{"context": {"flower": {}, "package": '
    b'{"package_name": "a", "package_version": "1"}}}',
    "both": b'{"context": {"flower": {"package_name": "flwr", "package_version": "1"}, '
    b'"package": {"package_name": "a", "package_version": "1"}}}',
    "a package without a version": b'{"context": {"flower": {"package_name": "flwr"}}}',
    "a package of numbers": b'{"context": {"flower": {"package_name": 1, "package_version": 2}}}',
    "a package that is a string": b'{"context": {"flower": "flwr/1.0"}}',
    "a package that is false": b'{"context": {"flower": false}}',
    "a package that is no header": b'{"context": {"flower": '
    b'{"package_name": "flwr\\r\\nX: y", "package_version": "1"}}}',
    "a package twice": b'{"context": {"flower": {"package_name": "a", "package_name": "b", '
    b'"package_version": "1"}}}',
    "arrays in arrays": b'{"x": ' + b"[" * 900 + b"]" * 900 + b"}",
    "more arrays in arrays": b'{"x": ' + b"[" * 2100 + b"]" * 2100 + b"}",
    "objects in objects": b'{"x": ' * 600 + b"1" + b"}" * 600,
    "more objects in objects": b'{"":' * 850 + b"1" + b"}" * 850,
    "a context in itself": b'{"context":' * 350 + b"{}" + b"}" * 350,
}


def told(labels: Sequence[Label], *, agents: bool) -> list[tuple[str, ...]]:
    """Return what labels say, with the User-Agents if those are asked for."""
    return [(label.event_type, label.date, *([label.agent] if agents else [])) for label in labels]


def with_json(line: bytes) -> Label | Malformed:
    """Read a line as it is read without msgspec."""
    return label_of(Line(0, len(line) + 1, line))


def check(line: bytes, *, agents: bool) -> bool:
    """Check that both ways of reading agree; tell whether msgspec had anything to say."""
    fast = read_all([line], agents=agents)
    if fast is None:
        return False
    slow = with_json(line)
    assert not isinstance(slow, Malformed), slow.reason
    assert told(fast, agents=agents) == told([slow], agents=agents)
    return True


@pytest.mark.parametrize("agents", [True, False])
@pytest.mark.parametrize("line", ODD.values(), ids=ODD)
def test_odd_lines_are_read_alike(line: bytes, *, agents: bool) -> None:
    """What one of the two takes for an event the other one takes for the same."""
    check(line, agents=agents)


@pytest.mark.parametrize("agents", [True, False])
def test_usual_lines_are_read_the_fast_way(*, agents: bool) -> None:
    """Else all of this would be for nothing."""
    assert check(event("A"), agents=agents)
    assert check(b"{}", agents=agents)
    assert check(b'{"event_type": "A", "context": {"date": "1", "x": [1, {}]}}', agents=agents)


_TEXTS = st.one_of(st.text(max_size=5), st.sampled_from(["event_type", "context", "date"]))
_VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=110)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(_TEXTS, inner, max_size=3)
    ),
    max_leaves=5,
)
_PACKAGES = st.one_of(
    _VALUES,
    st.fixed_dictionaries(
        {}, optional={"package_name": _VALUES, "package_version": _VALUES, "x": _VALUES}
    ),
    st.fixed_dictionaries(
        {"package_name": st.sampled_from(["flwr", "ü", ""]), "package_version": st.just("1.41.0")}
    ),
)
_CONTEXTS = st.one_of(
    _VALUES,
    st.fixed_dictionaries(
        {}, optional={"date": _VALUES, "flower": _PACKAGES, "package": _PACKAGES, "x": _VALUES}
    ),
)
_EVENTS = st.fixed_dictionaries(
    {},
    optional={"event_type": _VALUES, "context": _CONTEXTS, "event_details": _VALUES, "": _VALUES},
)
_JSON = st.builds(
    lambda value, plain: json.dumps(value, ensure_ascii=not plain).encode("utf-8", "surrogatepass"),
    _EVENTS,
    st.booleans(),
)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Return an event of which a few bytes are others, or more, or less."""
    line = bytearray(draw(_JSON))
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.integers(0, len(line)))
        line[place : place + draw(st.integers(0, 3))] = draw(
            st.one_of(
                st.binary(max_size=2),
                st.sampled_from(
                    [b'"', b"\\", b"{", b"}", b"\\u", b"\\ud8", b",", b"0", b"-", b"e"]
                ),
            )
        )
    return bytes(line).replace(b"\n", b"")


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(damaged(), st.booleans())
@example(b'{"event_type": "\\ud800"}', True)
def test_any_line_is_read_alike(line: bytes, agents: bool) -> None:
    """Whatever is in it."""
    check(line, agents=agents)


@pytest.mark.parametrize("bad", [b"", b"[]", b"{", b'{"a": "\xff"}'])
@pytest.mark.parametrize("without", [True, False])
def test_one_odd_line_is_enough_for_a_closer_look(
    bad: bytes, monkeypatch: pytest.MonkeyPatch, *, without: bool
) -> None:
    """With msgspec and without it."""
    if without:
        hide_msgspec(monkeypatch)
    assert labels_of([event("A"), event("B")]) is not None
    assert labels_of([event("A"), bad]) is None
    assert labels_of([bad, event("A")]) is None


def test_without_msgspec_labels_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is slower, and that is all."""
    lines = [event("A"), event("B", version="9.9.9"), b"{}"]
    fast = labels_of(lines)
    hide_msgspec(monkeypatch)
    slow = labels_of(lines)

    assert fast is not None
    assert slow is not None
    assert type(slow[0]) is not type(fast[0])
    assert told(slow, agents=True) == told(fast, agents=True)
    assert [label.agent for label in slow] == ["flwr/1.41.0", "flwr/9.9.9", OWN_AGENT]


def hide_msgspec(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the library look as if it was not installed, to this test."""
    monkeypatch.setitem(sys.modules, "uploader.fast_labels", None)
    monkeypatch.setattr("uploader.labels._read_all", _read_all.__wrapped__)
