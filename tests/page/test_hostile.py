"""What events contain is shown and never run: by escaping, and by the policy if that were wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.page.chromium import Tab
from tests.page.conftest import HOSTILE, RUN

HACKED = "window.hacked === true"


def test_hostile_text_is_shown_as_it_is(tab: Tab, rich: Path) -> None:
    """In types, details, reasons, answers: every character can be read, and none has an effect."""
    tab.look()
    tab.open(rich)
    text = tab.evaluate("document.body.textContent")

    for hostile in HOSTILE.values():
        assert hostile[:100] in text
    assert tab.evaluate(HACKED) is False
    foreign = "document.querySelectorAll('main script, main img, main style').length"
    assert tab.evaluate(foreign) == 0
    assert tab.evaluate("document.scripts.length") == 1
    assert tab.complaints() == []


def test_what_cannot_be_seen_is_named(tab: Tab, rich: Path) -> None:
    """Direction marks, line separators, what has no width, halves of pairs, bytes that are none."""
    tab.look()
    tab.open(rich)
    text = tab.evaluate("document.body.textContent")

    for shown in ("a⟨U+202E⟩b⟨U+2066⟩c", "⟨U+2028⟩⟨U+2029⟩", "⟨U+200B⟩⟨U+FEFF⟩", '{"half⟨0xFF⟩'):
        assert shown in text
    assert r"\ud800" in text
    assert not set(text) & set("\u202e\u2066\u2028\u2029\u200b\ufeff")


def test_long_and_deep_events_are_whole(tab: Tab, rich: Path) -> None:
    """None of 60,000 characters is left out, and 300 levels are no trouble."""
    tab.look(375)
    tab.open(rich)
    text = tab.evaluate("document.body.textContent")

    assert "W" * 60_000 in text
    assert "[" * 300 + "]" * 300 in text


ATTACKS = {
    "a script": f"<script>{RUN}</script>",
    "a handler": f"<img src=data:, onerror='{RUN}'>",
    "a link that runs": f"<a id=trap href='javascript:{RUN}'>here</a>",
    "a picture from elsewhere": "<img src='https://example.invalid/pixel.png'>",
    "a style": "<style>main { display: none }</style>",
    "a form": "<form id=form action='https://example.invalid/'><button id=trap></button></form>",
    "a frame": "<iframe src='https://example.invalid/'></iframe>",
}


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS.keys())
def test_the_policy_stops_what_escaping_would_have_let_through(
    tab: Tab, rich: Path, tmp_path: Path, attack: str
) -> None:
    """With HTML of a stranger in the middle of the page, nothing runs and nothing is asked for."""
    page = rich.read_text("utf-8")
    mark = '<main id="main" tabindex="-1">'
    assert mark in page
    broken = tmp_path / "broken.html"
    broken.write_text(page.replace(mark, mark + attack, 1), "utf-8")
    tab.look()
    tab.open(broken)
    tab.evaluate("document.getElementById('trap')?.click()")

    assert tab.evaluate(HACKED) is False
    assert tab.evaluate("document.querySelector('main').checkVisibility()") is True
    assert [url for url in tab.requests() if "example.invalid" in url] == []
    assert any("Content Security Policy" in said for said in tab.complaints())
