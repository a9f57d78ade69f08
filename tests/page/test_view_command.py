"""The command `view`: a private file in the right place, a browser where there is one."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from telemetry_spool import paths
from telemetry_spool.page import opening
from tests.e2e.conftest import Site, line
from tests.page.conftest import fill, new_site
from tests.support.processes import SPOOL, poll, running


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """Return a site of its own."""
    return new_site(tmp_path)


def mode(path: Path) -> int:
    """Return the permissions of a file."""
    return stat.S_IMODE(path.stat().st_mode)


def view(site: Site, *arguments: str) -> dict[str, object]:
    """Run `view --json` and return what it says."""
    done = site.telemetry_spool("view", "--json", *arguments)
    assert (done.code, done.stderr) == (0, "")
    said: dict[str, object] = json.loads(done.stdout)
    return said


def test_the_page_is_private_and_in_the_root(site: Site) -> None:
    """Whatever the umask is; the next page takes the place of the last."""
    site.record([line(0)])
    before = os.umask(0)
    try:
        said = [view(site, "--no-open") for _ in range(2)]
    finally:
        os.umask(before)

    page = site.place.root / "page" / "telemetry.html"
    assert said == [{"file": str(page), "opened": False, "watching": False}] * 2
    assert (mode(page), mode(page.parent)) == (0o600, 0o700)
    assert os.listdir(page.parent) == [page.name]


def test_whoever_looks_has_not_asked_for_a_root(site: Site, tmp_path: Path) -> None:
    """Without a root the page is in a new private directory, and there is no root still."""
    site.environ["TMPDIR"] = str(tmp_path)
    page = Path(str(view(site, "--no-open")["file"]))

    assert page.parent.parent == tmp_path
    assert (mode(page), mode(page.parent)) == (0o600, 0o700)
    assert not site.place.root.exists()


def test_the_page_goes_where_it_is_told_to_go(site: Site, tmp_path: Path) -> None:
    """Private there, too, even in the place of a file that was not; behind a link to it."""
    target = tmp_path / "mine.html"
    target.write_text("old")
    target.chmod(0o644)
    (tmp_path / "link.html").symlink_to(target)
    view(site, "--no-open", "--output", str(tmp_path / "link.html"))

    assert target.read_text("utf-8").startswith("<!doctype html>")
    assert mode(target) == 0o600
    assert (tmp_path / "link.html").is_symlink()


def test_a_device_is_not_replaced_by_a_page(site: Site, tmp_path: Path) -> None:
    """`-o /dev/null`, as root, would take it away from everybody."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for place in (pipe, tmp_path):
        done = site.telemetry_spool("view", "--no-open", "--output", str(place))
        assert done.code == os.EX_CANTCREAT
        assert "is no regular file" in done.stderr
        assert done.stderr.count("\n") == 1
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_the_page_goes_to_stdout(site: Site) -> None:
    """Nothing but the page, and no file."""
    fill(site)
    done = site.telemetry_spool("view", "--output", "-")

    assert (done.code, done.stderr) == (0, "")
    assert done.stdout.startswith("<!doctype html>")
    assert done.stdout.endswith("</html>\n")
    assert not (site.place.root / "page").exists()
    assert site.telemetry_spool("view", "--output", "-", "--watch").code == os.EX_USAGE


def test_it_opens_in_the_browser_of_the_user(site: Site, tmp_path: Path) -> None:
    """A real process that gets the address of the file."""
    browser, asked = tmp_path / "browser", tmp_path / "asked"
    browser.write_text(f'#!/bin/sh\necho "$1" > {asked}.new && mv {asked}.new {asked}\n')
    browser.chmod(0o755)
    site.environ |= {"BROWSER": f"{browser} %s", "DISPLAY": ":0", "SSH_CONNECTION": ""}
    site.environ["SSH_TTY"] = ""
    target = tmp_path / "with space.html"

    assert view(site, "--output", str(target))["opened"] is True
    poll(asked.exists, "the browser")
    assert asked.read_text() == target.as_uri() + "\n"


def test_over_ssh_it_says_where_the_page_is_and_how_to_get_it(site: Site, tmp_path: Path) -> None:
    """A browser there would open where nobody sees it."""
    site.environ |= {"SSH_CONNECTION": "192.0.2.1 1 192.0.2.2 22", "DISPLAY": ":0"}
    target = tmp_path / "with space.html"
    done = site.telemetry_spool("view", "--output", str(target))

    assert done.code == 0
    assert done.stdout.splitlines() == [
        f"The page is in {target}",
        "No browser was opened: this is a session over ssh.",
        f"To copy it, type where your browser is: scp {os.uname().nodename}:'{target}' .",
    ]


@pytest.mark.parametrize(
    ("environ", "platform", "reason"),
    [
        ({"DISPLAY": ":0"}, "linux", ""),
        ({"WAYLAND_DISPLAY": "wayland-0"}, "linux", ""),
        ({}, "linux", "there is no display"),
        ({}, "darwin", ""),
        ({"SSH_TTY": "/dev/pts/1"}, "darwin", "this is a session over ssh"),
    ],
)
def test_a_browser_is_opened_only_where_its_user_is(
    environ: dict[str, str], platform: str, reason: str
) -> None:
    """On a machine without a display, `webbrowser` would take over the terminal."""
    assert opening.why_not(environ, platform) == reason


def test_a_confined_browser_is_warned_about(tmp_path: Path) -> None:
    """A browser from a snap cannot read hidden directories, where the root usually is."""
    assert opening.confined(tmp_path) == ""
    (tmp_path / "firefox").touch()
    assert "--output ~/telemetry.html" in opening.confined(tmp_path)


def test_watching_writes_the_page_again_when_there_is_news(site: Site, tmp_path: Path) -> None:
    """A choice of mode, an event, a stop: each is in the page soon."""
    target = tmp_path / "page.html"
    with running(
        SPOOL, "view", "--watch", "--no-open", "-o", str(target), environ=site.environ
    ) as watching:
        poll(target.exists, "the page")
        site.record([line(1)])
        poll(lambda: "CLIENTAPP_ENTER" in target.read_text("utf-8"), "the event")
        assert site.telemetry_spool("local").code == 0
        poll(lambda: "Telemetry is <strong>local" in target.read_text("utf-8"), "the mode")
        assert mode(target) == 0o600
        assert watching.stop() != 0


def test_a_root_that_cannot_be_read_is_one_line(site: Site) -> None:
    """With the exit code for it; a spool that is no directory does not end in a traceback."""
    site.place.root.mkdir()
    site.place.spool.write_text("")
    done = site.telemetry_spool("view", "--no-open")

    assert done.code == 1
    assert done.stderr.count("\n") == 1
    assert str(site.place.spool) in done.stderr


def test_the_page_has_a_place_that_paths_knows(site: Site) -> None:
    """Like every other file of the project."""
    directories = paths.Directories(site.place.root, site.place.spool)
    assert directories.page == site.place.root / "page" / "telemetry.html"
