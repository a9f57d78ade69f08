"""The site policy: whose word it is, what it may say, and what it means when it says nonsense."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from telemetry_spool import paths, policy
from telemetry_spool.consent import ConsentReader, Mode
from telemetry_spool.recorder import Recorder
from telemetry_spool.settings import SettingError, Source
from telemetry_spool.writer_settings import writer_config
from tests.conftest import Place, run_python
from uploader import config
from uploader.settings import ALL_SETTINGS, UPLOADER_SETTINGS

ON, LOCAL, OFF = Mode.ON, Mode.LOCAL, Mode.OFF

ENABLED = {"FLWR_TELEMETRY_ENABLED": "0"}
NO_TRACKING = {"DO_NOT_TRACK": "1"}

# What the environment, the policy and the mode file say; the mode that follows, and who decided it.
COMBINATIONS: list[tuple[dict[str, str], str | None, str | None, Mode, str]] = [
    ({}, None, None, ON, "default"),
    ({}, None, "local", LOCAL, "telemetry-spool local"),
    ({}, None, "off", OFF, "telemetry-spool off"),
    ({}, "on", None, ON, "default"),
    ({}, "on", "on", ON, "telemetry-spool on"),
    ({}, "on", "local", LOCAL, "telemetry-spool local"),
    ({}, "on", "off", OFF, "telemetry-spool off"),
    ({}, "on", "nonsense", OFF, "nonsense"),
    ({}, "local", None, LOCAL, "allows at most local"),
    ({}, "local", "on", LOCAL, "allows at most local"),
    ({}, "local", "local", LOCAL, "allows at most local"),
    ({}, "local", "off", OFF, "telemetry-spool off"),
    ({}, "local", "nonsense", OFF, "nonsense"),
    ({}, "off", None, OFF, "allows at most off"),
    ({}, "off", "on", OFF, "allows at most off"),
    ({}, "off", "local", OFF, "allows at most off"),
    ({}, "off", "off", OFF, "allows at most off"),
    ({}, "broken", None, OFF, "mode = 'broken': must be on, local or off"),
    ({}, "broken", "on", OFF, "mode = 'broken': must be on, local or off"),
    (NO_TRACKING, "on", "on", OFF, "DO_NOT_TRACK"),
    (NO_TRACKING, "local", "on", OFF, "DO_NOT_TRACK"),
    (NO_TRACKING, "off", None, OFF, "DO_NOT_TRACK"),
    (NO_TRACKING, "broken", None, OFF, "DO_NOT_TRACK"),
    (ENABLED, "on", "on", OFF, "FLWR_TELEMETRY_ENABLED"),
    (ENABLED, "off", "off", OFF, "FLWR_TELEMETRY_ENABLED"),
    (ENABLED | NO_TRACKING, "local", "local", OFF, "FLWR_TELEMETRY_ENABLED"),
]

BROKEN: dict[str, tuple[bytes, str]] = {
    "no TOML": (b"mode = ", "not valid TOML"),
    "no text": (b"\xff\xfe", "not valid TOML"),
    "a mode that is none": (b'mode = "yes"', "mode = 'yes': must be on, local or off"),
    "a mode that is no word": (b"mode = true", "mode = True: must be on, local or off"),
    "a mode in capitals": (b'mode = "OFF"', "must be on, local or off"),
    "a misspelt mode": (b'mdoe = "off"', "unknown setting 'mdoe'"),
    "a table": (b'[writer]\nmode = "off"', "unknown setting 'writer'"),
    "a bad limit": (b"max_event_bytes = 1", "max_event_bytes = 1: must be a size from 1KiB to"),
    "too long": (b"#" * 70_000, "at most 64 KiB"),
}


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a path that is the policy's for this process, in a directory that is there."""
    path = tmp_path / "etc" / "policy.toml"
    path.parent.mkdir()
    monkeypatch.setattr(paths, "POLICY_FILE", path)
    return path


def chosen(text: str | None) -> Path | None:
    """Write the user's mode file, or leave it away, and return its path."""
    path = paths.mode_file()
    assert path is not None
    if text is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return path


@pytest.mark.parametrize(("environ", "allows", "choice", "mode", "rule"), COMBINATIONS)
def test_the_most_private_answer_wins_and_the_first_of_equals_is_named(
    file: Path,
    *,
    environ: dict[str, str],
    allows: str | None,
    choice: str | None,
    mode: Mode,
    rule: str,
) -> None:
    """FLWR_TELEMETRY_ENABLED, DO_NOT_TRACK, policy, mode file, default: in this order."""
    if allows is not None:
        file.write_text(f'mode = "{allows}"\n')

    consent = ConsentReader(chosen(choice), environ).now()

    assert consent.mode is mode
    assert rule in consent.rule


def test_the_rule_names_the_file(file: Path) -> None:
    """So that a user knows whom to ask."""
    file.write_text('mode = "local"\n')

    assert ConsentReader(None, {}).now().rule == f"site policy {file} allows at most local"


def test_no_variable_moves_the_policy() -> None:
    """It is the administrator's word against the user's."""
    names = ("XDG_CONFIG_DIRS", "XDG_CONFIG_HOME", "HOME", "FLWR_TELEMETRY_POLICY_FILE")
    variables = dict.fromkeys(names, "/elsewhere")
    done = run_python(
        "from telemetry_spool import paths; print(paths.POLICY_FILE)", environ=variables
    )

    linux, macos = "/etc", "/Library/Application Support"
    directory = macos if sys.platform == "darwin" else linux
    assert done.stdout.strip() == f"{directory}/flwr-telemetry/policy.toml"


@pytest.mark.parametrize(("content", "words"), BROKEN.values(), ids=list(BROKEN))
def test_a_broken_policy_is_one_line_for_commands_and_off_for_writers(
    file: Path, place: Place, content: bytes, words: str
) -> None:
    """The line names file and key and what is allowed; a writer reports the same as a problem."""
    file.write_bytes(content)

    with pytest.raises(SettingError) as caught:
        config.load({})
    message = str(caught.value)
    assert message.startswith(f"site policy {file}: ")
    assert words in message
    assert message.splitlines() == [message]

    consent = ConsentReader(None, {}).now()
    (problem,) = writer_config(place.environ).problems
    assert consent.mode is OFF
    assert words in consent.rule
    assert words in problem
    assert problem.startswith(f"site policy {file}: ")


def test_only_the_uploader_judges_the_uploaders_settings(file: Path, place: Place) -> None:
    """A writer does not load what knows a good endpoint; the uploader refuses a bad one."""
    file.write_text('endpoint = "ftp://example.org/"\n')

    assert writer_config(place.environ).problems == ()
    assert ConsentReader(None, {}).now().mode is ON
    with pytest.raises(SettingError, match=r"endpoint = 'ftp://example.org/': must be"):
        config.load({})


def test_an_unknown_key_comes_with_a_suggestion(file: Path) -> None:
    """`mode` is one of the names that a policy may have."""
    file.write_text('modus = "off"\n')

    with pytest.raises(SettingError, match="did you mean 'mode'"):
        config.load({})


def test_writers_know_the_names_of_the_uploaders_settings() -> None:
    """Else a policy that sets a new one would turn telemetry off."""
    assert {setting.name for setting in UPLOADER_SETTINGS} == policy.UPLOADER_NAMES
    assert policy.MODE.name not in {setting.name for setting in ALL_SETTINGS}


def test_the_words_of_a_policy_are_the_modes() -> None:
    """There is one set of words."""
    assert [policy.MODE.convert(mode.value) for mode in Mode] == ["on", "local", "off"]


def put_directory(path: Path) -> None:
    """Put a directory in the policy's place."""
    path.mkdir()


def put_fifo(path: Path) -> None:
    """Put a FIFO, which nobody writes to, in the policy's place."""
    os.mkfifo(path, 0o600)


def put_loop(path: Path) -> None:
    """Put a link to itself in the policy's place."""
    path.symlink_to(path)


def put_group_writable(path: Path) -> None:
    """Put a policy there that a group may write."""
    path.write_text('mode = "on"\n')
    path.chmod(0o664)


def put_world_writable(path: Path) -> None:
    """Put a policy there that everybody may write."""
    path.write_text('mode = "on"\n')
    path.chmod(0o646)


def put_somebody_elses(path: Path) -> None:
    """Put the policy of somebody who is neither root nor the directory's owner there."""
    path.write_text('mode = "on"\n')
    if os.geteuid() != 0:
        pytest.skip("giving a file away takes root")
    os.chown(path, 65534, -1)


@pytest.mark.parametrize(
    "put",
    [
        put_directory,
        put_fifo,
        put_loop,
        put_group_writable,
        put_world_writable,
        put_somebody_elses,
    ],
)
def test_what_cannot_be_the_administrators_word_means_off(
    file: Path, put: Callable[[Path], None]
) -> None:
    """Nobody waits for it, and a user's `on` does not help."""
    put(file)

    assert ConsentReader(chosen("on"), {}).now().mode is OFF
    with pytest.raises(SettingError, match="site policy"):
        config.load({})


def test_a_policy_belongs_to_the_owner_of_its_directory(file: Path) -> None:
    """Inside a user namespace root's files are somebody else's, its directories too."""
    file.write_text('mode = "local"\n')
    if os.geteuid() != 0:
        pytest.skip("giving a file away takes root")
    os.chown(file, 65534, -1)
    os.chown(file.parent, 65534, -1)

    assert ConsentReader(None, {}).now().rule == f"site policy {file} allows at most local"


def test_a_policy_may_be_a_link(file: Path, tmp_path: Path) -> None:
    """As tools that manage configurations make them."""
    (tmp_path / "elsewhere.toml").write_text('mode = "off"\n')
    file.symlink_to(tmp_path / "elsewhere.toml")

    assert "allows at most off" in ConsentReader(None, {}).now().rule


def test_a_reader_follows_a_policy_that_comes_changes_breaks_and_goes(file: Path) -> None:
    """Each question looks at the file again."""
    reader = ConsentReader(None, {})
    seen = [reader.now().mode]

    for text in ('mode = "off"', 'mode = "on"', 'mode = "local"', "mode", 'mode = "local"'):
        file.write_text(text)
        seen.append(reader.now().mode)
    file.chmod(0o666)
    seen.append(reader.now().mode)
    file.chmod(0o644)
    seen.append(reader.now().mode)
    file.unlink()
    seen.append(reader.now().mode)

    assert seen == [ON, OFF, ON, LOCAL, OFF, LOCAL, OFF, LOCAL, ON]


def test_a_policy_that_could_not_be_read_once_is_read_again(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process without a free descriptor is not turned off for ever."""
    file.write_text('mode = "local"\n')
    reader = ConsentReader(None, {})

    def fail(*_: object) -> int:
        raise OSError(24, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", fail)
        assert reader.now().mode is OFF
        assert "Too many open files" in reader.now().rule

    assert reader.now().mode is LOCAL


def test_a_policy_is_read_once_while_it_stays_the_same(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An event costs a look at its time stamps."""
    file.write_text('mode = "local"\n')
    reader = ConsentReader(None, {})
    before = reader.now()
    monkeypatch.setattr(policy, "read", lambda: pytest.fail("it was read again"))

    assert reader.now() == before


def test_a_policy_wins_over_flag_variable_and_files(file: Path) -> None:
    """And every setting that it does not name is the user's."""
    user_file, site_file = paths.config_files()
    for number, path in enumerate((user_file, site_file)):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f'endpoint = "https://file{number}.example.org/"\nconcurrency = 3\n')
    file.write_text('endpoint = "https://policy.example.org/"\nkeep_sent = true\n')

    resolved = config.resolve(
        {"endpoint": "https://flag.example.org/", "keep_sent": False},
        {"FLWR_TELEMETRY_ENDPOINT": "https://variable.example.org/"},
    )

    assert resolved["endpoint"].value == "https://policy.example.org/"
    assert resolved["endpoint"].origin == f"site policy {file}"
    assert resolved["keep_sent"].value is True
    assert resolved["concurrency"].origin == str(user_file)


def test_a_policy_wins_over_what_a_writer_is_told(file: Path, place: Place) -> None:
    """Its directory and its limits too."""
    file.write_text('spool_dir = "/var/spool/x"\nmax_event_bytes = "2KiB"\n')

    settings = writer_config(place.environ | {"FLWR_TELEMETRY_MAX_EVENT_BYTES": "4096"})

    assert settings.directories == paths.Directories(place.root, Path("/var/spool/x"))
    assert settings.max_event_bytes == 2048
    assert settings.problems == ()


def test_a_running_writer_follows_the_policys_settings(file: Path, place: Place) -> None:
    """From its next event on, and back when the policy goes."""
    recorder = Recorder(writer_config(place.environ))

    def record(event: bytes) -> None:
        recorder.record(event, recorder.consent().mode)

    elsewhere = place.root.parent / "elsewhere"
    record(b'{"before": 1}')
    file.write_text(f'spool_dir = "{elsewhere}"\n')
    record(b'{"under": 1}')
    file.write_text(f'spool_dir = "{elsewhere}"\nmax_event_bytes = 1024\n')
    record(b'{"too long": "%s"}' % (b"x" * 1024))
    file.unlink()
    record(b'{"after": 1}')

    (segment,) = elsewhere.iterdir()
    assert place.lines() == [b'{"before": 1}', b'{"after": 1}']
    assert segment.read_bytes() == b'{"under": 1}\n'
    assert list(place.losses().values()) == [1]


def test_losses_that_could_not_be_written_are_not_lost_with_the_old_settings(
    file: Path, place: Place
) -> None:
    """They are counted where the new policy keeps the ledger."""
    place.root.write_bytes(b"in the way")
    recorder = Recorder(writer_config(place.environ))
    assert not recorder.record(b"{}", recorder.consent().mode)

    moved = Place(place.root.parent / "moved")
    file.write_text(f'dir = "{moved.root}"\n')
    assert recorder.record(b"{}", recorder.consent().mode)

    assert moved.lines() == [b"{}"]
    assert sum(moved.losses().values()) == 1


@pytest.mark.parametrize(
    ("one", "other", "differ"),
    [
        ({}, {}, False),
        ({}, {"mode": "off"}, False),
        ({"mode": "on", "concurrency": 1}, {"mode": "off", "concurrency": 1}, False),
        ({}, {"concurrency": 1}, True),
        ({"concurrency": 2}, {"concurrency": 1}, True),
        ({"proxy": "http://a:1"}, {"concurrency": 1}, True),
    ],
)
def test_policies_differ_by_their_settings(
    one: dict[str, object], other: dict[str, object], differ: bool
) -> None:
    """A mode is asked for again and again; settings are what is put together once."""
    assert policy.differ(Source("", one), Source("", other)) is differ


def test_an_uploaders_settings_remember_the_policy(file: Path) -> None:
    """So that it can tell that they are no longer those that the site demands."""
    file.write_text("concurrency = 1\n")
    loaded = config.load({})

    assert loaded.policy.values == {"concurrency": 1}
    assert replace(loaded, policy=policy.ABSENT) == loaded
