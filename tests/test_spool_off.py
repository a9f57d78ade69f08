"""`telemetry-spool off` offers to delete what was recorded before; it decides nothing itself."""

from __future__ import annotations

import pytest

from tests.conftest import Place
from tests.e2e.conftest import Site, lines
from tests.support.terminal import on_terminal


@pytest.fixture
def site(place: Place) -> Site:
    """Return a site with three events that were not sent."""
    site = Site(place, "http://127.0.0.1:9/")
    site.record(lines(range(2)))
    site.record(lines(range(1)), local=True)
    return site


@pytest.mark.parametrize(
    ("arguments", "left"), [([], 3), (["--keep"], 3), (["--delete"], 0)], ids=str
)
def test_without_a_terminal_nothing_is_asked(site: Site, arguments: list[str], left: int) -> None:
    """And nothing is deleted unless that is said."""
    ended = site.telemetry_spool("off", *arguments)

    assert (ended.code, ended.stderr) == (0, "")
    assert f"Recorded before and still in {site.place.spool}: 3 events.\n" in ended.stdout
    assert ("Deleted 3 events.\n" in ended.stdout) == (left == 0)
    assert len(site.place.lines()) == left


@pytest.mark.parametrize(("answer", "left"), [("y\n", 0), ("n\n", 3), ("\n", 3)], ids=repr)
def test_a_terminal_is_asked(site: Site, answer: str, left: int) -> None:
    """Enter alone keeps them; the mode is off either way."""
    ended = on_terminal(site.environ, "off", answer=answer)

    assert ended.code == 0
    assert "Delete them? [y/N]" in ended.stdout
    assert len(site.place.lines()) == left
    assert '"mode": "off"' in site.telemetry_spool("status", "--json").stdout
