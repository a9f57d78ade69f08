"""The page for everybody: widths, themes, full and empty; contrast, structure, no trouble."""

from __future__ import annotations

import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.page.chromium import Tab
from tests.support.environments import CACHE

CHECKS = Path(__file__).with_name("checks.js").read_text(encoding="utf-8") + ";0"

WIDTHS = (375, 1280)
THEMES = pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
SIZES = pytest.mark.parametrize("width", WIDTHS)
SITES = pytest.mark.parametrize("site", ["rich", "empty"])

AXE = "axe-core-4.14.1"


@pytest.fixture
def page(request: pytest.FixtureRequest, site: str) -> Path:
    """Return the page of the site that the test names."""
    found: Path = request.getfixturevalue(site)
    return found


@SITES
@THEMES
@SIZES
def test_everything_can_be_seen(tab: Tab, page: Path, width: int, *, dark: bool) -> None:
    """No complaint, no request, nothing beyond the edge, and contrast for every text and shape."""
    tab.look(width, dark=dark)
    tab.open(page)
    tab.evaluate(CHECKS)
    tab.evaluate("checks.openAll()")

    # Texts: enough to show that the checks see something.
    assert tab.evaluate("checks.texts().length") > 100
    assert tab.evaluate("checks.faint()") == []
    assert tab.evaluate("checks.faintShapes()") == []
    assert tab.evaluate("document.documentElement.scrollWidth") == width
    assert tab.requests() == [page.as_uri()]
    assert tab.complaints() == []


@SITES
def test_the_structure_is_sound(tab: Tab, page: Path) -> None:
    """Language, title, landmarks, headings, names of controls and drawings, ids."""
    tab.look()
    tab.open(page)
    tab.evaluate(CHECKS)

    assert tab.evaluate("checks.structure()") == []


@THEMES
def test_the_theme_is_the_systems_until_it_is_chosen(tab: Tab, rich: Path, *, dark: bool) -> None:
    """A choice wins over the system and outlasts a reload."""
    paper = "getComputedStyle(document.body).backgroundColor"
    tab.look(dark=not dark)
    tab.open(rich)
    other = tab.evaluate(paper)
    tab.look(dark=dark)
    wanted = tab.evaluate(paper)
    assert wanted != other

    tab.look(dark=not dark)
    name = "dark" if dark else "light"
    while tab.evaluate("theme.textContent") != f"Theme: {name}":
        tab.evaluate("theme.click()")
    assert tab.evaluate(paper) == wanted
    tab.open(rich)
    assert tab.evaluate(paper) == wanted

    tab.evaluate("localStorage.clear()")


def test_it_prints_without_what_paper_cannot_do(tab: Tab, rich: Path) -> None:
    """Light, without buttons, filters and navigation."""
    tab.look(dark=True, print_=True)
    tab.open(rich)

    seen = "Array.from(document.querySelectorAll('nav, button, input, select'))"
    assert tab.evaluate(f"{seen}.filter((one) => one.checkVisibility()).length") == 0
    assert tab.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


def test_motion_is_only_for_those_who_like_it(tab: Tab, rich: Path) -> None:
    """Reduced motion means that nothing glides."""
    tab.look()
    tab.open(rich)

    assert tab.evaluate("getComputedStyle(document.documentElement).scrollBehavior") == "auto"


@pytest.fixture(scope="session")
def axe() -> str:
    """Return the source of axe-core, downloaded once; skip where npm cannot."""
    archive = CACHE / f"{AXE}.tgz"
    if not archive.exists():
        CACHE.mkdir(exist_ok=True)
        name, _, version = AXE.rpartition("-")
        command = ["npm", "pack", "--silent", "--pack-destination", str(CACHE), f"{name}@{version}"]
        try:
            subprocess.run(command, cwd=CACHE, check=True, capture_output=True, timeout=60)
        except (OSError, subprocess.SubprocessError):
            pytest.skip("npm cannot download axe-core")
    with tarfile.open(archive) as files:
        member = files.extractfile("package/axe.min.js")
        assert member is not None
        return member.read().decode()


@SITES
def test_axe_finds_nothing(tab: Tab, page: Path, axe: str) -> None:
    """The common checker of accessibility agrees."""
    tab.look(375)
    tab.open(page)
    tab.evaluate(CHECKS)
    tab.evaluate("checks.openAll()")
    tab.evaluate(axe + ";0")

    found = tab.evaluate(
        "axe.run().then((result) => result.violations.map("
        "(one) => `${one.id}: ${one.nodes[0].html.slice(0, 200)}`))"
    )
    assert found == []
