"""The page in use: by keyboard, without a script, and while it is kept up to date."""

from __future__ import annotations

import signal
from pathlib import Path

from tests.page.chromium import Tab
from tests.page.conftest import event, fill, new_site
from tests.page.test_looks import CHECKS
from tests.support.processes import SPOOL, poll, running

FOCUSED = "document.activeElement"


def tab_to(tab: Tab, wanted: str) -> None:
    """Press Tab until what is wanted has the focus."""
    for _ in range(40):
        if tab.evaluate(f"{FOCUSED}.matches({wanted!r})"):
            return
        tab.press("Tab")
    raise AssertionError(f"the focus never came to {wanted}")


def opened(tab: Tab, page: Path) -> None:
    """Open a page with the checks at hand."""
    tab.look()
    tab.open(page)
    tab.evaluate(CHECKS)


def shown(tab: Tab) -> list[str]:
    """Return the types of the events that are shown."""
    types: list[str] = tab.evaluate("checks.shownEvents()")
    return types


def test_the_filters_work_by_keyboard(tab: Tab, rich: Path) -> None:
    """Search, state and type, one within the other; Clear brings all back."""
    opened(tab, rich)
    everything = shown(tab)
    assert len(everything) == 25

    tab_to(tab, "#search")
    tab.press(*"pending_3")
    assert shown(tab) == ["PENDING_3"]
    assert tab.evaluate("found.textContent") == f"1 of {len(everything)} shown"

    tab_to(tab, "#clear")
    tab.press("Enter")
    assert shown(tab) == everything
    assert tab.evaluate(f"{FOCUSED}.id") == "search"

    tab_to(tab, "#state")
    tab.press(*"local")
    assert shown(tab) == ["KEPT", "KEPT"]
    tab_to(tab, "#type")
    tab.press(*"LONG")
    assert shown(tab) == []


def test_an_event_opens_by_keyboard(tab: Tab, rich: Path) -> None:
    """Its summary is a stop on the way, and Enter opens it."""
    opened(tab, rich)
    tab_to(tab, "#search")
    tab.press(*"PENDING_5")
    tab_to(tab, ".event > summary")
    tab.press("Enter")

    text = tab.evaluate(f"{FOCUSED}.parentElement.querySelector('pre').innerText")
    assert '"event_type": "PENDING_5",' in text
    assert '    "n": 5' in text


def test_the_focus_is_always_visible_and_never_trapped(tab: Tab, rich: Path) -> None:
    """From the skip link to the first event, each stop has an outline."""
    opened(tab, rich)
    tab.press("Tab")
    assert tab.evaluate(f"{FOCUSED}.textContent") == "Skip to content"
    stops = 0
    while not tab.evaluate(f"{FOCUSED}.matches('.event > summary')"):
        assert tab.evaluate(f"getComputedStyle({FOCUSED}).outlineStyle") == "solid"
        assert tab.evaluate(f"{FOCUSED}.checkVisibility()") is True
        tab.press("Tab")
        stops += 1
    assert 10 < stops < 30


def test_without_a_script_everything_can_be_read(tab: Tab, rich: Path) -> None:
    """Filters and buttons that would do nothing are not there; events open all the same."""
    tab.call("Emulation.setScriptExecutionDisabled", value=True)
    opened(tab, rich)

    seen = "Array.from(document.querySelectorAll('button, input, select'))"
    assert tab.evaluate(f"{seen}.filter((one) => one.checkVisibility()).length") == 0
    assert len(shown(tab)) == 25
    tab_to(tab, "#mode summary")
    tab.press("Enter")
    assert tab.evaluate("document.querySelector('#mode .choices').checkVisibility()") is True


LOADED = "document.readyState === 'complete'"
# One expression, because the page may be loaded again between two.
WHERE_THE_READER_IS = f"""(() => {{
  {CHECKS}
  const open = document.querySelectorAll(".event[open]").length;
  return {LOADED} && [checks.shownEvents().sort(), search.value, {FOCUSED}.id, open];
}})()"""
EXPECTED = [["KEPT", "KEPT", "KEPT_LATER"], "kept", "search", 1]


def test_a_page_that_is_watched_follows_and_stays_where_its_reader_is(
    tab: Tab, tmp_path: Path
) -> None:
    """New events appear by themselves; filter, open event and place stay; Ctrl-C ends it well."""
    site = new_site(tmp_path)
    fill(site)
    file = tmp_path / "watched.html"
    arguments = ("view", "--watch", "--no-open", "--output", str(file))
    with running(SPOOL, *arguments, environ=site.environ) as watching:
        poll(file.exists, "the page")
        opened(tab, file)
        tab_to(tab, "#search")
        tab.press(*"kept")
        tab.evaluate("document.querySelector('[data-type=KEPT]').open = true")

        site.record([event("KEPT_LATER", {})], local=True)
        poll(lambda: tab.evaluate(WHERE_THE_READER_IS) == EXPECTED, "the new event in its place")
        watching.send(signal.SIGINT)
        assert watching.ended() == 0
    poll(lambda: tab.evaluate(f"{LOADED} && !document.body.dataset.refresh") is True, "the last")
    assert tab.evaluate("document.getElementById('pause')") is None


def test_a_page_that_is_watched_can_be_paused(tab: Tab, tmp_path: Path) -> None:
    """What moves by itself must be able to stand still, until its reader goes on."""
    file = tmp_path / "watched.html"
    with running(SPOOL, "view", "--watch", "-o", str(file), environ=new_site(tmp_path).environ):
        poll(file.exists, "the page")
    # The test is the clock: what the page would do in 3 seconds happens when it is told to.
    clock = """
        window.setInterval = (what) => { window.tick = what; };
        window.loads = 0;
        navigation.addEventListener("navigate", (event) => { loads++; event.preventDefault(); });
    """
    tab.call("Page.addScriptToEvaluateOnNewDocument", source=clock)
    opened(tab, file)
    assert tab.evaluate("pause.click(), tick(), [pause.textContent, loads]") == ["Go on", 0]
    assert tab.evaluate("pause.click(), tick(), [pause.textContent, loads]") == ["Pause", 1]
