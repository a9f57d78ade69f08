"""HTML that cannot be forgotten to escape, and JSON in lines that stays what it was."""

from __future__ import annotations

import html
import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry_spool.page.indented import indented
from telemetry_spool.page.markup import Markup, inline, join, tag, visible

ANY_TEXT = st.text(st.characters(), max_size=50)


@given(ANY_TEXT)
def test_text_is_text_wherever_it_is_put(text: str) -> None:
    """Between tags and in attributes: read as HTML it is the same text again."""
    made = tag("p", text, data_key=text).html
    found = re.fullmatch(r'<p data-key="([^"<>]*)">([^<>]*)</p>', made)
    assert found
    assert html.unescape(found[1]) == html.unescape(found[2]) == visible(text)
    made.encode()


def test_content_can_be_nested_and_left_out() -> None:
    """Lists of pieces, None for nothing."""
    assert join("a", None, [tag("b", "c"), ["d"]]) == Markup("a<b>c</b>d")
    assert tag("input", hidden=True, type="search", value=None, checked=False) == Markup(
        '<input hidden type="search">'
    )


@pytest.mark.parametrize("name", ["script", "style", "p onclick", "", "p>"])
def test_elements_that_run_cannot_be_made(name: str) -> None:
    """Only `inline` makes a script, from a file of the package."""
    with pytest.raises(ValueError, match="not an element"):
        tag(name, "text")


@pytest.mark.parametrize("name", ["onclick", "style", "src", "srcdoc"])
def test_attributes_that_run_cannot_be_made(name: str) -> None:
    """The policy would block them; so nobody shall try."""
    attributes: dict[str, Any] = {name: "x"}
    with pytest.raises(ValueError, match="not an attribute"):
        tag("p", **attributes)


@pytest.mark.parametrize("address", ["javascript:1", "http://example.invalid", "data:,", "//x"])
def test_addresses_are_of_this_page_or_encrypted(address: str) -> None:
    """Nothing else is worth a link here."""
    with pytest.raises(ValueError, match="not an address"):
        tag("a", "here", href=address)
    assert tag("a", "here", href="#x").html == '<a href="#x">here</a>'


def test_a_script_that_would_end_early_is_refused() -> None:
    """Before it is in a page."""
    with pytest.raises(ValueError, match="cannot be put into a page"):
        inline("script", "const end = '</script>'")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT, inner, max_size=4),
    max_leaves=30,
)


@given(JSON, st.booleans())
def test_lines_are_all_that_is_added(value: object, ascii_: bool) -> None:
    """What `json.dumps(indent=2)` makes, without having understood it."""
    text = json.dumps(value, ensure_ascii=ascii_)
    assert indented(text) == json.dumps(value, ensure_ascii=ascii_, indent=2)


def test_what_parsing_would_lose_stays() -> None:
    """How a number or a character is written, a key that comes twice."""
    text = '{"a":1.00,"a":1e3,"b":"\\u0041\\/"}'
    assert indented(text) == '{\n  "a": 1.00,\n  "a": 1e3,\n  "b": "\\u0041\\/"\n}'


@pytest.mark.parametrize("text", ["", "no JSON", '{"half', "[" * 99 + "]" * 99, "]["])
def test_what_is_no_json_or_too_deep_stays_as_it_is(text: str) -> None:
    """Shown as it is, whatever it is."""
    assert indented(text) == text
