"""What a line says of itself: the same with the compiled part and without it."""

from __future__ import annotations

import _hashlib
import json
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from telemetry_spool.events import LABEL_CHARACTERS, Malformed
from telemetry_spool.segment import Line
from tests.support.environments import REPOSITORY
from tests.support.events import event
from uploader.manifest import Entry, Listed, entry_of
from uploader.scanner import Scanner, scanner, why_not

_compiled = scanner()
if _compiled is None:
    pytest.skip(f"there is no compiled part: {why_not()}", allow_module_level=True)
COMPILED = _compiled

REST = '"sent_at": "now", "endpoint": "https://example.org"'

USUAL = {
    "Flower's": event("A"),
    "no fields": b"{}",
    "details": b'{"event_type": "A", "context": {"date": "1", "x": [1, {}]}}',
    "white space": b'\t{ "a" : [ 1 , 2.5e-3 , true , null ] , "b" : { } }\r',
    "letters": '{"event_type": "A", "ü": "\u20ac\U0001f33b"}'.encode(),
    "escapes": b'{"x": "\\"\\\\\\/\\b\\f\\n\\r\\t\\u00fC\\ud83d\\ude00"}',
    "no type": b'{"event_type": 1, "context": {"date": null, "flower": null}}',
    "another package": b'{"context": {"package": {"package_name": "a", "package_version": "1"}}}',
}

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


def scan(*lines: bytes) -> list[Entry] | None:
    """Return what the compiled part reads in lines."""
    found = COMPILED.scan(b"".join(line + b"\n" for line in lines))
    return None if found is None else list(found.entries())


def closely(line: bytes) -> Entry | Malformed:
    """Read a line as it is read without the compiled part."""
    return entry_of(Line(0, len(line) + 1, line))


def check(line: bytes) -> bool:
    """Check that both ways of reading agree; tell whether the compiled part had anything to say."""
    found = scan(line)
    if found is None:
        return False
    assert found == [closely(line)]
    return True


@pytest.mark.parametrize("line", ODD.values(), ids=ODD)
def test_odd_lines_are_read_alike(line: bytes) -> None:
    """What one of the two takes for an event the other one takes for the same."""
    check(line)


@pytest.mark.parametrize("line", USUAL.values(), ids=USUAL)
def test_usual_lines_are_read_the_fast_way(line: bytes) -> None:
    """Else all of this would be for nothing."""
    assert check(line)


@pytest.mark.parametrize(
    "end", [b'"', b'\\"', b"\\\\", b"\x1f", b"\x7f", b"\x80", b"\xc3\xbc", b""]
)
def test_strings_of_any_length_are_read_alike(end: bytes) -> None:
    """They are looked at many bytes at a time; what ends them may be at any of those."""
    for size in range(70):
        start = b'{"x": "' + b"a" * size + end
        for line in (start, start + b'"}', start + b'a"}'):
            check(line)


@pytest.mark.parametrize(
    "character", ["\x80", "\u07ff", "\u0800", "\ud7ff", "\ue000", "\U0010ffff"]
)
def test_letters_of_all_lengths_are_read_the_fast_way(character: str) -> None:
    """The first and the last of each length in UTF-8."""
    assert check(f'{{"x": "{character}", "y{character}": 1}}'.encode())


def test_bytes_that_are_no_letters_are_read_alike() -> None:
    """All that may begin one, before all that matter as the next."""
    for first in range(0x80, 0x100):
        for second in (0x00, 0x22, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xFF):
            for rest in (b"", b"\x80", b"\xbf\xbf", b"\x80\x80\x80", b"\x80\xc0", b'\x80"'):
                check(b'{"x": "' + bytes([first, second]) + rest + b'"}')


@pytest.fixture(scope="module")
def portable(tmp_path_factory: pytest.TempPathFactory) -> Scanner:
    """Return the compiled part as it is on other processors."""
    library = tmp_path_factory.mktemp("portable") / "_lines.so"
    source = REPOSITORY / "uploader" / "lines.c"
    flags = ("-std=c11", "-O2", "-fPIC", "-shared", "-U__SSE2__")
    try:
        subprocess.run(["cc", *flags, "-o", library, source], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no C compiler: {error}")
    return Scanner(library)


def test_other_processors_read_lines_alike(portable: Scanner) -> None:
    """They look at eight bytes at a time, or at one."""
    ends = (b'"', b'\\"', b"\\\\", b"\x1f", b"\x7f", b"\x80", b"\xc3\xbc", b"")
    strings = [b'{"x": "' + b"a" * size + end + b'a"}' for size in range(40) for end in ends]
    for line in (*ODD.values(), *USUAL.values(), *strings):
        found = portable.scan(line + b"\n")
        assert (None if found is None else list(found.entries())) == scan(line)


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
@given(damaged())
@example(b'{"event_type": "\\ud800"}')
def test_any_line_is_read_alike(line: bytes) -> None:
    """Whatever is in it."""
    check(line)


@pytest.mark.parametrize("bad", [b"", b"[]", b"{", b'{"a": "\xff"}'])
def test_one_odd_line_is_enough_for_a_closer_look(bad: bytes) -> None:
    """Wherever it is."""
    assert scan(event("A"), event("B")) is not None
    assert scan(event("A"), bad) is None
    assert scan(bad, event("A")) is None


def test_a_last_line_without_its_end_takes_a_closer_look() -> None:
    """It is not all there."""
    assert COMPILED.scan(event("A") + b"\n" + event("B")) is None
    assert COMPILED.scan(b"") is None


@given(st.lists(_JSON, min_size=1, max_size=20), st.data())
def test_a_manifest_is_the_same_as_one_that_was_listed(
    lines: list[bytes], data: st.DataObject
) -> None:
    """Ids, agents and entries; receipts of any of its lines, in any order."""
    scanned = COMPILED.scan(b"".join(line + b"\n" for line in lines))
    listed = Listed([entry for entry in map(closely, lines) if isinstance(entry, Entry)])
    assume(scanned is not None)
    assert scanned is not None

    numbers = data.draw(st.lists(st.integers(0, len(lines) - 1)))
    first = data.draw(st.integers(0, len(lines) - 1))
    count = data.draw(st.integers(0, len(lines) - first))
    assert len(scanned) == len(listed)
    assert list(scanned.ids) == list(listed.ids)
    assert list(scanned.agents) == list(listed.agents)
    assert list(scanned.entries()) == list(listed.entries())
    assert list(scanned.entries(first, count)) == list(listed.entries(first, count))
    assert scanned.digests(first, count) == listed.digests(first, count)
    assert scanned.receipts(numbers, REST) == listed.receipts(numbers, REST)


PACKAGES = [
    {},
    {"flower": None},
    {"flower": {"package_name": "flwr", "package_version": "1.41.0"}},
    {"flower": {"package_name": "flwr", "package_version": "1.41.1"}},
    {"flower": {"package_name": "flw", "package_version": "r1.41.0"}},
    {"package": {"package_name": "flwr", "package_version": "1.41.0"}},
    {"package": {"package_name": "", "package_version": "1"}},
    {"flower": {"package_name": "ab", "package_version": "c"}},
    {"flower": {"package_name": "a", "package_version": "bc"}},
]


@given(st.lists(st.sampled_from(PACKAGES), min_size=1, max_size=20))
def test_each_event_keeps_its_own_package(contexts: list[dict[str, object]]) -> None:
    """Though lines of the same one in a row are looked at once."""
    lines = [json.dumps({"event_type": "A", "context": each}).encode() for each in contexts]
    scanned = COMPILED.scan(b"".join(line + b"\n" for line in lines))
    read = [entry for entry in map(closely, lines) if isinstance(entry, Entry)]

    assert scanned is not None
    assert list(scanned.agents) == [entry.agent for entry in read]
    assert list(scanned.entries()) == read


def test_the_longest_labels_have_room_in_receipts() -> None:
    """With nothing to spare."""
    line = json.dumps(
        {"event_type": "A" * LABEL_CHARACTERS, "context": {"date": "1" * LABEL_CHARACTERS}}
    ).encode()
    scanned = COMPILED.scan((line + b"\n") * 500)

    assert scanned is not None
    (one,) = {*bytes(scanned.receipts(range(500), REST)).splitlines()}
    assert json.loads(one)["event_type"] == "A" * LABEL_CHARACTERS


@pytest.mark.parametrize(
    "content", [None, b"", b"no library"], ids=["absent", "empty", "something else"]
)
def test_without_the_compiled_part_it_is_said_why(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes | None
) -> None:
    """And lines are read all the same."""
    library = tmp_path / "_lines.so"
    if content is not None:
        library.write_bytes(content)
    monkeypatch.setattr("uploader.scanner.LIBRARY", library)

    assert scanner.__wrapped__() is None
    assert why_not()


def test_a_python_with_openssl_built_in_goes_without_if_it_is_hidden(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing is hashed in another way than by Python's own library."""
    monkeypatch.delattr(_hashlib, "__file__")

    assert (scanner.__wrapped__() is None) == ("EVP_MD_fetch" in why_not())


def test_with_the_compiled_part_there_is_nothing_to_say() -> None:
    """It has proved itself when it was loaded."""
    assert why_not() == ""
