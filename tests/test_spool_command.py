"""The command `telemetry-spool`: look at the spool, decide about it, and break no terminal."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from telemetry_spool import __version__, paths
from telemetry_spool.segment import event_id
from tests.conftest import DEADLINE_SECONDS, Place
from tests.e2e.conftest import Site, line, lines
from tests.support.processes import SPOOL, Ended, environment

EVENT = line(0)
SHORT = event_id(EVENT)[:12]


@pytest.fixture
def site(place: Place) -> Site:
    """Return a site whose endpoint nobody asks."""
    return Site(place, "http://127.0.0.1:9/")


def the_line(ended: Ended) -> str:
    """Return the one line on stderr, which must be all that was said."""
    assert (ended.code, ended.stdout) == (1, "")
    (said,) = ended.stderr.splitlines()
    assert said.startswith("telemetry-spool: ")
    return said.removeprefix("telemetry-spool: ")


def test_help_and_version(site: Site) -> None:
    """Every command is found from here."""
    shown = site.telemetry_spool("--help")
    assert shown.code == 0
    for name in ("status", "list", "show", "on", "local", "off"):
        assert f" {name} " in shown.stdout

    assert site.telemetry_spool("--version") == Ended(0, f"telemetry-spool {__version__}\n", "")


def test_looking_makes_nothing(site: Site) -> None:
    """Whoever asks what telemetry does has not asked for a directory."""
    assert site.telemetry_spool("status").code == 0
    assert site.telemetry_spool("list") == Ended(0, "", "")

    assert not site.place.root.exists()
    assert not paths.config_files()[0].parent.exists()


def test_status_names_the_mode_and_its_rule(site: Site) -> None:
    """And how much is waiting."""
    site.record(lines(range(3)))
    site.record(lines(range(2)), local=True)

    shown = {
        row[:10].strip(): row[11:] for row in site.telemetry_spool("status").stdout.splitlines()
    }

    assert shown["mode"] == "on (default: nothing was chosen)"
    assert shown["spool"] == str(site.place.spool)
    assert shown["pending"].startswith("3 events, ")
    assert shown["local"].startswith("2 events, ")
    assert shown["uploader"] == "never ran with this spool"


def test_status_as_json(site: Site) -> None:
    """For `jq`."""
    site.record(lines(range(3)))

    content = json.loads(site.telemetry_spool("status", "--json").stdout)

    assert (content["mode"], content["pending"]["events"], content["uploader"]) == ("on", 3, None)


def test_status_tells_of_a_wrong_setting(site: Site) -> None:
    """A writer inside Flower had to pass it over in silence."""
    site.set(max_event_bytes="lots")

    content = json.loads(site.telemetry_spool("status", "--json").stdout)

    assert content["problems"] == [
        "FLWR_TELEMETRY_MAX_EVENT_BYTES = 'lots': must be a size from 1KiB to 1MiB"
    ]


def test_list_shows_each_event(site: Site) -> None:
    """Short id, date, state, type; the rest is what `show` is for."""
    site.record([EVENT])
    site.record([line(1)], local=True)

    ended = site.telemetry_spool("list")

    assert (ended.code, ended.stderr) == (0, "")
    assert [row.split() for row in ended.stdout.splitlines()] == [
        [SHORT, "2026-03-10T12:00:00.000000+00:00", "pending", "CLIENTAPP_ENTER"],
        [event_id(line(1))[:12], "2026-03-10T12:00:00.000001+00:00", "local", "CLIENTAPP_ENTER"],
    ]


def test_list_as_json(site: Site) -> None:
    """One object a line, with the whole id."""
    site.record([EVENT])

    (row,) = site.telemetry_spool("list", "--json").stdout.splitlines()

    assert json.loads(row) == {
        "id": event_id(EVENT),
        "event_type": "CLIENTAPP_ENTER",
        "date": "2026-03-10T12:00:00.000000+00:00",
        "state": "pending",
        "file": site.place.active().name,
    }


@pytest.mark.parametrize(("limit", "expected"), [("0", 0), ("2", 2), ("9", 3)])
def test_list_can_be_limited(site: Site, limit: str, expected: int) -> None:
    """The first ones."""
    site.record(lines(range(3)))

    assert len(site.telemetry_spool("list", "--limit", limit).stdout.splitlines()) == expected


def test_list_goes_on_behind_what_is_no_event(site: Site) -> None:
    """It is named for what it is."""
    bad = [b"RUN", b"[1]", b"\xff\x00", b'{"a": ' * 3000]
    site.record([*bad, EVENT])

    shown = site.telemetry_spool("list").stdout.splitlines()

    assert [row.split(maxsplit=2)[-1] for row in shown[:-1]] == ["(not an event)"] * len(bad)
    assert shown[-1].endswith("CLIENTAPP_ENTER")


def test_list_names_an_event_without_a_type(site: Site) -> None:
    """It would be sent all the same."""
    site.record([b'{"event_type": 1}'])

    assert site.telemetry_spool("list").stdout.endswith("pending   (no event_type)\n")


def test_show_prints_what_is_sent(site: Site) -> None:
    """Readable by default, the exact bytes with `--raw`: their SHA-256 is the id."""
    site.record(lines(range(5)))

    assert json.loads(site.telemetry_spool("show", SHORT).stdout) == json.loads(EVENT)
    raw = site.telemetry_spool("show", "--raw", SHORT.upper()).stdout
    assert hashlib.sha256(raw.encode()).hexdigest() == event_id(EVENT)


def test_show_knows_an_event_that_is_there_twice(site: Site) -> None:
    """It has one id."""
    site.record([EVENT, EVENT])

    assert json.loads(site.telemetry_spool("show", SHORT).stdout) == json.loads(EVENT)


def test_show_of_an_unknown_id_is_one_line(site: Site) -> None:
    """With the place where it was looked for."""
    site.record([EVENT])

    assert the_line(site.telemetry_spool("show", "zzz")) == (
        f"no event 'zzz' in {site.place.root}; telemetry-spool list shows all"
    )


def test_show_of_an_ambiguous_id_is_one_line(site: Site) -> None:
    """With enough of the ids to choose one."""
    events = lines(range(3))
    site.record(events)

    said = the_line(site.telemetry_spool("show", ""))

    shown = ", ".join(sorted(event_id(event)[:12] for event in events))
    assert said == f"'' is the beginning of 3 ids ({shown}, …): give more of it"


HOSTILE = "\x1b]0;owned\x07\x1b[2J\r\n\u202etxt\u0085"


def test_an_event_cannot_steer_the_terminal(site: Site) -> None:
    """Its type, its date and its bytes come from anywhere."""
    hostile = json.dumps({"event_type": HOSTILE, "context": {"date": HOSTILE}}).encode()
    broken = f"RUN {HOSTILE}".replace("\n", "").encode()
    site.record([hostile, broken])

    shown = [
        site.telemetry_spool("list").stdout,
        site.telemetry_spool("show", event_id(hostile)).stdout,
        site.telemetry_spool("show", event_id(broken)).stdout,
    ]

    for text in shown:
        assert all(character.isprintable() for character in text.replace("\n", ""))
    assert len(shown[0].splitlines()) == 2


def test_an_id_cannot_steer_the_terminal(site: Site) -> None:
    """It may have been pasted from somewhere."""
    assert the_line(site.telemetry_spool("show", HOSTILE)).isprintable()


def test_the_reader_of_the_list_may_go(site: Site) -> None:
    """`| head -1` is what people type."""
    site.record(lines(range(5000)))
    script = f"{sys.executable} -m {SPOOL} list | head -1"

    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {script}"],
        env=environment(site.environ),
        check=False,
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
    )

    assert len(done.stdout.splitlines()) == 1
    assert done.stderr == ""


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_ends_in_no_traceback(site: Site, closed: str) -> None:
    """As some schedulers start their jobs; nothing is written into a file that was opened later."""
    site.record(lines(range(2)))
    before = site.place.lines()
    script = f"{sys.executable} -m {SPOOL} list {closed} && {sys.executable} -m {SPOOL} on {closed}"

    done = subprocess.run(
        ["bash", "-c", script],
        env=environment(site.environ),
        check=False,
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert site.place.lines() == before


ENCODINGS = pytest.mark.parametrize(
    "encoding",
    [
        {"LC_ALL": "C"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"PYTHONIOENCODING": "latin-1"},
        {"PYTHONIOENCODING": "utf-8:strict"},
    ],
    ids=["C", "C without UTF-8", "latin-1", "strict UTF-8"],
)


def without_encoding(environ: dict[str, str]) -> dict[str, str]:
    """Return an environment that says nothing of an encoding yet."""
    return environ | {"PYTHONIOENCODING": "", "LC_ALL": ""}


@ENCODINGS
def test_no_encoding_of_the_terminal_ends_in_a_traceback(
    site: Site, encoding: dict[str, str]
) -> None:
    """A job on a cluster has one that does not know every character."""
    event = {"event_type": "日本 \ud800", "context": {"date": "ü"}}
    site.record([json.dumps(event).encode()])
    site.environ = without_encoding(site.environ) | encoding

    ended = site.telemetry_spool("list")

    assert (ended.code, ended.stderr) == (0, "")
    assert "pending" in ended.stdout


@ENCODINGS
def test_a_directory_in_another_encoding_can_be_shown(
    site: Site, tmp_path: Path, encoding: dict[str, str]
) -> None:
    """Its name is no UTF-8; it was made when that was usual."""
    site.set(dir=os.fsdecode(os.fsencode(tmp_path) + b"/\xfc"))
    site.environ = without_encoding(site.environ) | encoding

    assert site.telemetry_spool("status").code == 0
    assert site.uploader("check").code == 0


@pytest.mark.parametrize(
    ("mode", "said"),
    [
        ("on", "Events are recorded, and an uploader may send them."),
        ("local", "Events are recorded here and not sent: nothing leaves this machine."),
        ("off", "Nothing is recorded and nothing is sent from now on."),
    ],
)
def test_a_choice_is_kept_and_shown(site: Site, mode: str, said: str) -> None:
    """One word in one file."""
    assert site.telemetry_spool(mode) == Ended(0, f"{said}\n", "")

    chosen = paths.mode_file()
    assert chosen is not None
    assert chosen.read_text() == f"{mode}\n"
    status = json.loads(site.telemetry_spool("status", "--json").stdout)
    assert (status["mode"], status["rule"]) == (mode, f"chosen with telemetry-spool {mode}")
    assert not site.place.root.exists()


def test_off_says_what_is_still_there(site: Site) -> None:
    """It deletes nothing by itself."""
    site.record(lines(range(2)))
    site.record(lines(range(1)), local=True)

    ended = site.telemetry_spool("off")

    said = f"Recorded before and still in {site.place.spool}: 3 events."
    assert ended.stdout.splitlines()[-1] == said
    assert len(site.place.lines()) == 3


def test_a_choice_that_the_environment_overrules_says_so(site: Site) -> None:
    """Here and now it is off all the same."""
    site.environ["DO_NOT_TRACK"] = "1"

    assert site.telemetry_spool("on").stdout.splitlines()[-1] == (
        "Here and now the mode is off all the same: DO_NOT_TRACK is set."
    )


def test_a_choice_that_cannot_be_kept_is_one_line(site: Site) -> None:
    """With the path."""
    directory = paths.config_files()[0].parent
    directory.parent.mkdir(parents=True, exist_ok=True)
    directory.write_bytes(b"")

    assert the_line(site.telemetry_spool("off")) == f"{directory}: File exists"


def test_a_spool_that_cannot_be_read_is_one_line(site: Site) -> None:
    """With the path."""
    site.place.root.mkdir()
    site.place.spool.write_bytes(b"")

    assert the_line(site.telemetry_spool("list")) == f"{site.place.spool}: Not a directory"
