"""Consent: the most private answer wins, and it is asked for again before each event."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from telemetry_spool.consent import ConsentReader, Mode, by_choice, by_environment, choose
from telemetry_spool.paths import mode_file
from tests.conftest import UNPRIVILEGED, Place, run_python

ON, LOCAL, OFF = Mode.ON, Mode.LOCAL, Mode.OFF

ENVIRONMENTS: list[tuple[dict[str, str], str]] = [
    ({"FLWR_TELEMETRY_ENABLED": "0"}, "FLWR_TELEMETRY_ENABLED"),
    ({"FLWR_TELEMETRY_ENABLED": ""}, "FLWR_TELEMETRY_ENABLED"),
    ({"FLWR_TELEMETRY_ENABLED": "true"}, "FLWR_TELEMETRY_ENABLED"),
    ({"FLWR_TELEMETRY_ENABLED": "2"}, "FLWR_TELEMETRY_ENABLED"),
    ({"DO_NOT_TRACK": "1"}, "DO_NOT_TRACK"),
    ({"DO_NOT_TRACK": "true"}, "DO_NOT_TRACK"),
    ({"DO_NOT_TRACK": "yes"}, "DO_NOT_TRACK"),
    ({"FLWR_TELEMETRY_ENABLED": "1", "DO_NOT_TRACK": "1"}, "DO_NOT_TRACK"),
]

SILENT_ENVIRONMENTS: list[dict[str, str]] = [
    {},
    {"FLWR_TELEMETRY_ENABLED": "1"},
    {"DO_NOT_TRACK": ""},
    {"DO_NOT_TRACK": "0"},
    {"DO_NOT_TRACK": "False"},
    {"DO_NOT_TRACK": " 0 "},
]

CHOICES = [
    (None, ON, "default"),
    ("on", ON, "telemetry-spool on"),
    ("on\n", ON, "telemetry-spool on"),
    ("local\n", LOCAL, "telemetry-spool local"),
    ("off\n", OFF, "telemetry-spool off"),
    ("", OFF, "none of on, local, off"),
    ("ON", OFF, "'ON'"),
    ("yes", OFF, "'yes'"),
    ("on off", OFF, "'on off'"),
]

RECORD = "from telemetry_spool import event; event('ASKED')"


def written(text: str | None) -> Path:
    """Write the user's mode file, or leave it away, and return its path."""
    path = mode_file()
    assert path is not None
    if text is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return path


@pytest.mark.parametrize("text", [None, "on\n", "local\n", "off\n"])
@pytest.mark.parametrize(("environ", "rule"), ENVIRONMENTS)
def test_the_environment_forbids_whatever_was_chosen(
    environ: dict[str, str], rule: str, text: str | None
) -> None:
    """And the rule names the variable that decided."""
    consent = ConsentReader(written(text), environ).now()

    assert consent.mode is OFF
    assert rule in consent.rule


@pytest.mark.parametrize(("text", "mode", "rule"), CHOICES)
@pytest.mark.parametrize("environ", SILENT_ENVIRONMENTS)
def test_without_a_demand_the_mode_file_decides(
    environ: dict[str, str], text: str | None, mode: Mode, rule: str
) -> None:
    """The environment never makes it less private; a word that is no mode means off."""
    consent = ConsentReader(written(text), environ).now()

    assert consent.mode is mode
    assert rule in consent.rule


def test_the_rules_are_functions_of_values() -> None:
    """No file and no process is needed to know what a text or an environment means."""
    assert by_environment({}) is None
    assert by_choice(None).mode is ON
    assert by_choice("off").mode is OFF


def test_only_the_beginning_of_a_long_mode_file_is_shown() -> None:
    """A file put there by mistake does not end up in a status line."""
    consent = by_choice("secret " * 1000)

    assert len(consent.rule) < 100


def test_a_choice_is_seen_by_a_running_reader() -> None:
    """Each question reads the file again, also when the file is new or gone."""
    path = written(None)
    reader = ConsentReader(path, {})
    seen = [reader.now().mode]

    for mode in (OFF, LOCAL, ON):
        choose(path, mode)
        seen.append(reader.now().mode)
    path.unlink()
    seen.append(reader.now().mode)

    assert seen == [ON, OFF, LOCAL, ON, ON]


def test_a_choice_made_while_a_process_runs_counts_from_its_next_event(place: Place) -> None:
    """Training runs for days, and `telemetry-spool off` must not wait for it."""
    path = mode_file()
    assert path is not None
    run_python(
        """
import sys
from pathlib import Path
from telemetry_spool import event
from telemetry_spool.consent import Mode, choose
for mode in ("on", "off", "local", "on"):
    choose(Path(sys.argv[1]), Mode(mode))
    event(mode)
""",
        str(path),
        environ=place.environ,
    )

    by_file = {
        name.split(".")[-2]: [
            line.split('"')[3] for line in (place.spool / name).read_text().splitlines()
        ]
        for name in place.names()
    }
    assert by_file == {"active": ["on", "on"], "local": ["local"]}


def test_choosing_writes_one_word_and_leaves_nothing_else() -> None:
    """The directory is made if need be, private to the user."""
    path = written(None)

    choose(path, LOCAL)

    assert path.read_text() == "local\n"
    assert [entry.name for entry in path.parent.iterdir()] == ["mode"]
    assert path.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("environ", [environ for environ, _ in ENVIRONMENTS], ids=str)
def test_off_by_the_environment_makes_no_file_and_no_directory(
    place: Place, environ: dict[str, str]
) -> None:
    """Consent is asked for before anything is made, the source id included."""
    home = Path(os.environ["HOME"])

    run_python(RECORD, environ=place.environ | environ)

    assert not place.root.exists()
    assert list(home.rglob("*")) == []


def test_off_by_choice_makes_no_file_and_no_directory(place: Place) -> None:
    """The mode file stays the only thing there is."""
    path = written("off\n")
    home = Path(os.environ["HOME"])

    run_python(RECORD, environ=place.environ)

    assert not place.root.exists()
    assert [found for found in home.rglob("*") if found.is_file()] == [path]


def put_directory(path: Path) -> None:
    """Put a directory in the place of the mode file."""
    path.mkdir(parents=True)


def put_fifo(path: Path) -> None:
    """Put a FIFO in the place of the mode file."""
    path.parent.mkdir(parents=True)
    os.mkfifo(path)


def put_rubbish(path: Path) -> None:
    """Put bytes that are no text into the mode file."""
    path.parent.mkdir(parents=True)
    path.write_bytes(b"\xff\xfeon" * 1000)


def put_loop(path: Path) -> None:
    """Put a link to itself in the place of the mode file."""
    path.parent.mkdir(parents=True)
    path.symlink_to(path)


@pytest.mark.parametrize("put", [put_directory, put_fifo, put_rubbish, put_loop])
def test_a_mode_file_that_cannot_be_understood_means_off(put: Callable[[Path], None]) -> None:
    """Somebody decided something; the safe reading of it is the private one."""
    path = written(None)
    put(path)

    assert ConsentReader(path, {}).now().mode is OFF


@pytest.mark.parametrize("closed", ["file", "directory"])
def test_a_mode_file_that_may_not_be_read_means_off(reachable: Path, closed: str) -> None:
    """The rule names the file and the error, whether the file or its directory is closed."""
    path = reachable / "flwr-telemetry" / "mode"
    path.parent.mkdir()
    path.write_text("on\n")
    (path if closed == "file" else path.parent).chmod(0)

    done = run_python(
        f"""{UNPRIVILEGED}
from pathlib import Path
from telemetry_spool.consent import ConsentReader
consent = ConsentReader(Path(sys.argv[1]), {{}}).now()
print(consent.mode.value, consent.rule)
""",
        str(path),
    )

    assert done.stdout == f"off {path} cannot be read: Permission denied\n"


def test_a_mode_file_that_becomes_unreadable_means_off_in_a_running_process(
    reachable: Path,
) -> None:
    """A directory that is closed after `off` was chosen must not turn telemetry on again."""
    path = reachable / "flwr-telemetry" / "mode"
    path.parent.mkdir()
    path.write_text("off\n")

    done = run_python(
        """
import os, sys
from pathlib import Path
from telemetry_spool.consent import ConsentReader
path = Path(sys.argv[1])
if os.geteuid() == 0:
    os.chown(path.parent, 65534, 65534)
    os.setuid(65534)
reader = ConsentReader(path, {})
print(reader.now().mode.value)
path.parent.chmod(0)
print(reader.now().mode.value)
path.parent.chmod(0o700)
""",
        str(path),
    )

    assert done.stdout == "off\noff\n"


def test_a_way_that_is_closed_before_anything_was_chosen_means_off_within_a_second() -> None:
    """A choice that was made behind it could not be seen."""
    path = written(None)
    path.parent.mkdir(parents=True, exist_ok=True)
    seconds = [0.0]
    reader = ConsentReader(path, {}, clock=lambda: seconds[0])
    before = reader.now().mode

    path.parent.rmdir()
    path.parent.symlink_to(path.parent)
    seconds[0] = 1.0

    assert (before, reader.now().mode) == (ON, OFF)


def test_a_choice_is_seen_at_once_whatever_the_clock_says() -> None:
    """A file that appears is seen by the next question, and so is a policy's."""
    path = written(None)
    reader = ConsentReader(path, {}, clock=lambda: 0.0)
    before = [reader.now().mode, reader.now().mode]

    choose(path, OFF)

    assert (before, reader.now().mode) == ([ON, ON], OFF)


def test_without_a_home_nothing_was_chosen() -> None:
    """There is no place where a choice could be."""
    assert ConsentReader(None, {}).now().mode is ON
