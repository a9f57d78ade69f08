"""Settings: which source wins, what is allowed, and one line that says what is wrong."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from telemetry_spool import paths
from telemetry_spool.settings import (
    Setting,
    SettingError,
    Source,
    absolute_path,
    boolean,
    environment,
    file,
    number,
    resolve_one,
    size,
    unknown_keys,
    whole_number,
)
from telemetry_spool.writer_settings import (
    DIR,
    FSYNC,
    MAX_EVENT_BYTES,
    MAX_SEGMENT_BYTES,
    MAX_SPOOL_BYTES,
    SPOOL_DIR,
    WRITER_SETTINGS,
    writer_config,
)
from tests.conftest import UNPRIVILEGED, run_python


def user_file() -> Path:
    """Return the path of the user's settings file, with its directory made."""
    return _made(paths.config_files()[0])


def site_file() -> Path:
    """Return the path of the site's settings file, with its directory made."""
    return _made(paths.config_files()[-1])


def _made(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def test_the_first_source_that_has_a_setting_decides() -> None:
    """Flag before environment before user before site before default."""
    labels = ["flag", "environment", "user", "site"]
    sources = [Source(label, {"max_event_bytes": 2000 + n}) for n, label in enumerate(labels)]

    origins = [resolve_one(MAX_EVENT_BYTES, sources[n:]) for n in range(5)]

    assert [(found.value, found.origin) for found in origins] == [
        (2000, "flag"),
        (2001, "environment"),
        (2002, "user"),
        (2003, "site"),
        (65536, "default"),
    ]


def test_a_writer_takes_environment_before_user_before_site_before_default() -> None:
    """Each setting comes from the first place that has it, whatever the others have."""
    user_file().write_text('max_event_bytes = 2000\nmax_segment_bytes = "8KiB"\n')
    site_file().write_text(
        'max_event_bytes = 3000\nmax_segment_bytes = "9KiB"\nmax_spool_bytes = "1MiB"\n'
    )

    config = writer_config({"FLWR_TELEMETRY_MAX_EVENT_BYTES": "1500"})

    assert config.problems == ()
    assert config.max_event_bytes == 1500
    assert config.max_segment_bytes == 8 * 1024
    assert config.max_spool_bytes == 2**20
    assert config.fsync is False


def test_without_settings_everything_has_a_default() -> None:
    """The root is the platform's state directory, the spool lies in it."""
    config = writer_config({})

    assert config.problems == ()
    assert config.directories.root == paths.default_root()
    assert config.directories.spool == config.directories.root / "spool"
    assert config.mode_file == paths.mode_file()
    assert (config.max_event_bytes, config.max_segment_bytes, config.max_spool_bytes) == (
        64 * 2**10,
        2**20,
        64 * 2**20,
    )


def test_root_and_spool_can_be_put_elsewhere() -> None:
    """The spool follows the root unless it has a place of its own."""
    together = writer_config({"FLWR_TELEMETRY_DIR": "/t"}).directories
    apart = writer_config({"FLWR_TELEMETRY_DIR": "/t", "FLWR_TELEMETRY_SPOOL_DIR": "/s"})

    assert (together.root, together.spool) == (Path("/t"), Path("/t/spool"))
    assert (apart.directories.root, apart.directories.spool) == (Path("/t"), Path("/s"))


def test_a_variable_set_to_nothing_counts_as_unset() -> None:
    """`FLWR_TELEMETRY_DIR= command` is how a shell takes a setting away."""
    user_file().write_text("max_event_bytes = 2000\n")

    config = writer_config({setting.variable: "" for setting in WRITER_SETTINGS})

    assert config.problems == ()
    assert config.max_event_bytes == 2000


def test_the_environment_is_asked_for_the_settings_and_nothing_else() -> None:
    """Other variables of the same prefix are somebody else's."""
    source = environment(
        [DIR], {"FLWR_TELEMETRY_DIR": "/t", "FLWR_TELEMETRY_LOGGING": "1", "HOME": "/h"}
    )

    assert source.values == {"dir": "/t"}


Convert = Callable[[object], object]

GOOD: list[tuple[Convert, object, object]] = [
    (size(1024, 2**20), 1024, 1024),
    (size(1024, 2**20), "1024", 1024),
    (size(1024, 2**20), "1KiB", 1024),
    (size(1024, 2**20), "1 kib", 1024),
    (size(1024, 2**20), " 1MiB ", 2**20),
    (size(1, 2**40), "3GiB", 3 * 2**30),
    (whole_number(1, 8), 8, 8),
    (whole_number(1, 8), "1", 1),
    (number(0, 10), 0, 0.0),
    (number(0, 10), "2.5", 2.5),
    (number(0, 10), 10.0, 10.0),
    (boolean, True, True),
    (boolean, "1", True),
    (boolean, "YES", True),
    (boolean, "false", False),
    (boolean, "no", False),
    (absolute_path, "/absolute", Path("/absolute")),
    (absolute_path, Path("/absolute"), Path("/absolute")),
]

BAD: list[tuple[Convert, object]] = [
    (size(1024, 2**20), 1023),
    (size(1024, 2**20), 2**20 + 1),
    (size(1024, 2**20), "1MB"),
    (size(1024, 2**20), "1.5MiB"),
    (size(1024, 2**20), "MiB"),
    (size(1024, 2**20), "-1MiB"),
    (size(1024, 2**20), ""),
    (size(1024, 2**20), 2048.0),
    (size(1024, 2**20), True),
    (size(1024, 2**20), ["1MiB"]),
    (whole_number(1, 8), 0),
    (whole_number(1, 8), 9),
    (whole_number(1, 8), "four"),
    (whole_number(1, 8), 1.0),
    (whole_number(1, 8), True),
    (number(0, 10), -0.1),
    (number(0, 10), 10.1),
    (number(0, 10), "nan"),
    (number(0, 10), "inf"),
    (number(0, 10), False),
    (number(0, 10), "soon"),
    (boolean, 1),
    (boolean, "on"),
    (boolean, ""),
    (boolean, None),
    (absolute_path, "relative"),
    (absolute_path, ""),
    (absolute_path, "~nobody-has-this-name/x"),
    (absolute_path, "/with\0nul"),
    (absolute_path, 1),
]


@pytest.mark.parametrize(("convert", "raw", "value"), GOOD)
def test_what_is_allowed_is_converted(convert: Convert, raw: object, value: object) -> None:
    """From TOML or from text."""
    converted = convert(raw)

    assert converted == value
    assert type(converted) is type(value)


@pytest.mark.parametrize(("convert", "raw"), BAD)
def test_what_is_not_allowed_is_a_value_error(convert: Convert, raw: object) -> None:
    """And never another exception."""
    with pytest.raises(ValueError, match=r".*"):
        convert(raw)


def test_a_tilde_is_the_home_directory() -> None:
    """As people write it in a settings file."""
    assert absolute_path("~/telemetry") == Path(os.environ["HOME"]) / "telemetry"


@pytest.mark.parametrize("setting", WRITER_SETTINGS, ids=lambda setting: setting.name)
def test_a_bad_variable_is_named_with_its_value_and_what_is_allowed(setting: Setting) -> None:
    """One line that a person can act on."""
    source = environment([setting], {setting.variable: "no good"})

    with pytest.raises(SettingError) as raised:
        resolve_one(setting, [source])

    message = str(raised.value)
    assert "\n" not in message
    assert setting.variable in message
    assert "'no good'" in message
    assert setting.allowed in message


def test_a_bad_value_in_a_file_is_named_with_its_file() -> None:
    """Which of the files it is in is what one wants to know."""
    path = site_file()
    path.write_text('max_spool_bytes = "plenty"\n')

    with pytest.raises(SettingError) as raised:
        resolve_one(MAX_SPOOL_BYTES, [file(path)])

    assert str(raised.value) == (
        f"{path}: max_spool_bytes = 'plenty': must be a size from 8KiB to 1TiB"
    )


def test_a_bad_value_is_not_hidden_by_a_good_one_further_down() -> None:
    """The source that wins is the one that must be right."""
    sources = [Source("user", {"fsync": "perhaps"}), Source("site", {"fsync": True})]

    with pytest.raises(SettingError, match="user: fsync = 'perhaps'"):
        resolve_one(FSYNC, sources)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"max_event_bytes = ", "not valid TOML"),
        (b"\xff\xfe", "not valid TOML"),
        (b"a = 1\na = 2\n", "not valid TOML"),
        (b"a = " + b"[" * 5000 + b"]" * 5000, "not valid TOML"),
    ],
)
def test_a_file_that_is_not_toml_is_named(content: bytes, message: str) -> None:
    """In one line."""
    path = user_file()
    path.write_bytes(content)

    with pytest.raises(SettingError) as raised:
        file(path)

    assert str(raised.value).startswith(f"{path}: {message}: ")
    assert "\n" not in str(raised.value)


def test_a_file_that_is_absent_says_nothing(tmp_path: Path) -> None:
    """Most have none; a file in the place of its directory is no settings file either."""
    (tmp_path / "file").write_bytes(b"")

    assert file(tmp_path / "config.toml").values == {}
    assert file(tmp_path / "file" / "config.toml").values == {}


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """A directory in its place, for one."""
    path = tmp_path / "config.toml"
    path.mkdir()

    with pytest.raises(SettingError) as raised:
        file(path)

    assert str(raised.value) == f"{path}: cannot be read: Is a directory"


def test_unknown_keys_are_found() -> None:
    """A misspelt setting must not pass for a default."""
    source = Source("user", {"max_event_bytes": 1, "max_events": 2, "table": {}})

    assert unknown_keys(source, [MAX_EVENT_BYTES, SPOOL_DIR]) == ["max_events", "table"]


def test_a_writer_goes_on_with_defaults_and_says_what_was_wrong() -> None:
    """It runs inside somebody's training: the rest of the settings still counts."""
    user_file().write_text("max_event_bytes = 1\nmax_spool_bytes = 10000\n")
    site_file().write_text("not toml")

    config = writer_config({"FLWR_TELEMETRY_MAX_SEGMENT_BYTES": "huge"})

    assert config.max_event_bytes == MAX_EVENT_BYTES.default
    assert config.max_segment_bytes == MAX_SEGMENT_BYTES.default
    assert config.max_spool_bytes == 10000
    found = [
        next(
            name
            for name in ("FLWR_TELEMETRY_MAX_SEGMENT_BYTES", str(user_file()), str(site_file()))
            if name in problem
        )
        for problem in config.problems
    ]
    assert sorted(found) == sorted(
        ["FLWR_TELEMETRY_MAX_SEGMENT_BYTES", str(user_file()), str(site_file())]
    )


NO_HOME = """
import os, sys
import telemetry_spool.settings, dataclasses, platformdirs.unix, tomllib
for name in [name for name in os.environ if name == "HOME" or name.startswith("XDG_")]:
    del os.environ[name]
# A user id that no password database has, as containers give: 4242424.
if os.geteuid() == 0:
    os.setuid(4242424)
else:
    import pwd
    def getpwuid(uid):
        raise KeyError(uid)
    pwd.getpwuid = getpwuid
from telemetry_spool.writer_settings import writer_config
"""


def test_without_any_home_there_is_a_problem_and_a_root_that_cannot_exist() -> None:
    """Every event becomes a loss with that reason, and nothing is written at a random place."""
    done = run_python(
        NO_HOME
        + """
config = writer_config({})
print(config.directories.root, config.mode_file, *config.problems, sep="\\n")
""",
    )

    assert done.stdout.splitlines() == [
        str(paths.NOWHERE),
        "None",
        "no home directory: set FLWR_TELEMETRY_DIR",
    ]


def test_without_any_home_a_chosen_root_is_enough() -> None:
    """Containers without a home set FLWR_TELEMETRY_DIR."""
    done = run_python(
        NO_HOME
        + """
config = writer_config({"FLWR_TELEMETRY_DIR": "/t"})
print(config.directories.root, config.problems)
""",
    )

    assert done.stdout == "/t ()\n"


def test_a_settings_file_of_another_user_is_a_problem_and_not_an_end(reachable: Path) -> None:
    """A site that got its permissions wrong does not stop its users' programs."""
    path = reachable / "flwr-telemetry" / "config.toml"
    path.parent.mkdir()
    path.write_text("max_event_bytes = 2000\n")
    path.chmod(0)

    done = run_python(
        f"""{UNPRIVILEGED}
from telemetry_spool.writer_settings import writer_config
print(*writer_config({{}}).problems)
""",
        environ={"XDG_CONFIG_DIRS": str(reachable), "XDG_CONFIG_HOME": str(reachable / "none")},
    )

    assert done.stdout == f"{path}: cannot be read: Permission denied\n"
