"""`telemetry-spool export` and `import` as commands: what they say, and what they refuse."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import pytest

from tests.conftest import Place
from tests.e2e.conftest import Site, line, lines
from tests.support import carried
from tests.support.processes import Ended


@pytest.fixture
def site(place: Place) -> Site:
    """Return a site whose endpoint nobody asks."""
    return Site(place, "http://127.0.0.1:9/")


@pytest.fixture
def connected(tmp_path: Path) -> Site:
    """Return the machine that a bundle is carried to."""
    return Site(Place(tmp_path / "connected"), "http://127.0.0.1:9/")


def refused(ended: Ended, code: int) -> str:
    """Return the one line on stderr, which must be all that was said."""
    assert (ended.code, ended.stdout) == (code, ""), ended.stderr
    (said,) = ended.stderr.splitlines()
    return said.removeprefix("telemetry-spool: ")


WRONG = {
    "nothing": [],
    "no suffix": ["bundle"],
    "another suffix": ["bundle.zip"],
    "stdout without a format": ["-"],
    "two things": ["--list", "x.tar.gz"],
    "two other things": ["--take-back", "2", "--list"],
    "receipts under another name": ["--receipts", "x.gz"],
    "a bundle of a list": ["--list", "--bundle", "2"],
    "a dry run of a list": ["--list", "--dry-run"],
    "local events of a copy": ["--include-local", "x.csv"],
    "a copy and JSON on stdout": ["--format", "csv", "-", "--json"],
    "a try at an old bundle": ["x.tar.gz", "--bundle", "2", "--dry-run"],
}


@pytest.mark.parametrize("arguments", WRONG.values(), ids=WRONG.keys())
def test_what_makes_no_sense_is_one_line(site: Site, arguments: list[str]) -> None:
    """And nothing is done."""
    site.record([line(0)])

    refused(site.telemetry_spool("export", *arguments), os.EX_USAGE)

    assert site.place.lines() == [line(0)]


def test_export_says_where_the_events_are(site: Site, tmp_path: Path) -> None:
    """In the file and in `exported/`."""
    site.record(lines(range(2)))
    file = tmp_path / "a b.tar.gz"

    said = site.telemetry_spool("export", str(file)).stdout.splitlines()

    bundle = carried.manifest_of(file)["bundle"]
    kept = site.place.root / "exported" / bundle
    assert said == [
        f"Bundle {bundle}: 2 events in {file}.",
        f"Until receipts come back they are kept in {kept}: telemetry-spool export --list",
    ]
    assert site.telemetry_spool("export", "--list").stdout == (
        f"{bundle}  2 of 2 events  in {file}\n"
    )


def test_status_tells_of_what_is_outstanding(site: Site, tmp_path: Path) -> None:
    """It is neither pending nor known to be sent."""
    site.record(lines(range(2)))
    site.telemetry_spool("export", str(tmp_path / "x.tar.gz"))

    rows = site.telemetry_spool("status").stdout.splitlines()

    assert "exported   2 events; telemetry-spool export --list" in rows
    assert json.loads(site.telemetry_spool("status", "--json").stdout)["exported"] == 2


def test_export_as_json(site: Site, tmp_path: Path) -> None:
    """For scripts, a dry run and an empty spool too."""
    file = tmp_path / "out.tar.gz"

    def said(*arguments: str) -> dict[str, object]:
        content: dict[str, object] = json.loads(
            site.telemetry_spool("export", *arguments, "--json").stdout
        )
        return content

    assert (said(str(file))["bundle"], file.exists()) == (None, False)
    site.record([line(0)])
    tried = said(str(file), "--dry-run")
    assert (tried["events"], tried["dry_run"], file.exists()) == (1, True, False)
    done = said(str(file))
    assert (done["events"], done["file"], done["left"]) == (1, str(file), 0)
    assert said("--list")["outstanding"] == 1
    assert said("--take-back", str(done["bundle"])) == {
        "bundle": done["bundle"],
        "events": 1,
        "may_arrive_twice": True,
    }


def test_local_events_are_named(site: Site, tmp_path: Path) -> None:
    """Whoever carries them is to know."""
    site.record([line(0)], local=True)

    said = site.telemetry_spool("export", "--include-local", str(tmp_path / "out.tar.gz")).stdout

    assert "With them 1 event of mode local." in said.splitlines()


@pytest.mark.parametrize("mode", ["off", "local"])
def test_nothing_leaves_without_consent(site: Site, tmp_path: Path, mode: str) -> None:
    """The line names the rule."""
    site.record([line(0)])
    site.telemetry_spool(mode)

    said = refused(site.telemetry_spool("export", str(tmp_path / "x.tar.gz")), os.EX_NOPERM)

    assert f"chosen with telemetry-spool {mode}" in said
    assert site.place.lines() == [line(0)]


@pytest.mark.parametrize("mode", ["off", "local"])
def test_nothing_comes_in_without_consent(
    site: Site, connected: Site, tmp_path: Path, mode: str
) -> None:
    """This machine may not send it."""
    site.record([line(0)])
    file = str(tmp_path / "x.tar.gz")
    site.telemetry_spool("export", file)
    connected.telemetry_spool(mode)

    said = refused(connected.telemetry_spool("import", file), os.EX_NOPERM)

    assert f"the mode is {mode}" in said
    assert not connected.place.root.exists()


def test_the_environment_forbids_too(site: Site, tmp_path: Path) -> None:
    """As everywhere."""
    site.record([line(0)])
    site.environ["DO_NOT_TRACK"] = "1"

    said = refused(
        site.telemetry_spool("export", "--include-local", str(tmp_path / "x.tar.gz")), os.EX_NOPERM
    )

    assert "DO_NOT_TRACK" in said


def test_an_existing_file_is_kept(site: Site, tmp_path: Path) -> None:
    """A bundle, receipts, a copy."""
    site.record([line(0)])
    for name in ("x.tar.gz", "x.csv"):
        (tmp_path / name).write_bytes(b"mine")
        said = refused(site.telemetry_spool("export", str(tmp_path / name)), os.EX_CANTCREAT)
        assert said == f"{tmp_path / name} exists and is not overwritten: choose another name"
        assert (tmp_path / name).read_bytes() == b"mine"


@pytest.mark.parametrize("content", [b"", b"hello", b"\x1f\x8b\x08\0"])
def test_what_is_neither_is_one_line(site: Site, tmp_path: Path, content: bytes) -> None:
    """With the file, and that nothing was imported."""
    file = tmp_path / "x.tar.gz"
    file.write_bytes(content)

    said = refused(site.telemetry_spool("import", str(file)), os.EX_DATAERR)

    assert said.startswith(f"{file}: nothing was imported: ")
    assert not site.place.root.exists() or site.place.names() == []


def test_a_fifo_is_not_waited_for(site: Site, tmp_path: Path) -> None:
    """It is no regular file."""
    os.mkfifo(tmp_path / "x.tar.gz")

    said = refused(site.telemetry_spool("import", str(tmp_path / "x.tar.gz")), os.EX_NOINPUT)

    assert said.endswith("is not a regular file")


def test_a_missing_file_is_one_line(site: Site, tmp_path: Path) -> None:
    """With its name."""
    ended = site.telemetry_spool("import", str(tmp_path / "x.tar.gz"))

    assert (ended.code != 0, ended.stdout) == (True, "")
    assert ended.stderr == f"telemetry-spool: {tmp_path}/x.tar.gz: No such file or directory\n"


def test_receipts_of_nothing_are_refused(site: Site, tmp_path: Path) -> None:
    """No bundle has been imported here."""
    file = tmp_path / "x.receipts.jsonl.gz"

    said = refused(site.telemetry_spool("export", "--receipts", str(file)), 1)

    assert said == "no bundle has been imported here: telemetry-spool import FILE"
    assert not file.exists()


def test_a_bundle_cannot_steer_the_terminal(site: Site, tmp_path: Path) -> None:
    """Nor can its name."""
    file = tmp_path / "\x1b]0;owned\x07.tar.gz"
    file.write_bytes(b"hello")

    assert refused(site.telemetry_spool("import", str(file)), os.EX_DATAERR).isprintable()


def test_copies(site: Site, tmp_path: Path) -> None:
    """By suffix or by format, to a file or to stdout; what is no event is counted."""
    site.record([line(0), b"no event"])

    assert site.telemetry_spool("export", "--format", "jsonl", "-") == Ended(
        0,
        line(0).decode() + "\n",
        "telemetry-spool: left out because they are no events: 1 lines\n",
    )
    file = tmp_path / "x.csv"
    assert site.telemetry_spool("export", str(file)).stdout == f"{file}: 1 event.\n"
    with file.open(newline="") as table:
        assert [row["event_type"] for row in csv.DictReader(table)] == ["CLIENTAPP_ENTER"]
    assert file.stat().st_mode & 0o777 == 0o600
    assert site.place.lines() == [line(0), b"no event"]


def test_a_copy_of_no_spool_is_empty(site: Site) -> None:
    """Looking makes nothing."""
    assert site.telemetry_spool("export", "--format", "jsonl", "-") == Ended(0, "", "")
    assert not site.place.root.exists()
