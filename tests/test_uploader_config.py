"""The uploader's settings: which place wins, and one line that names what is wrong and where."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from telemetry_spool import paths
from telemetry_spool.settings import Setting, SettingError
from uploader.config import UploaderConfig, load, resolve
from uploader.settings import ALL_SETTINGS, UPLOADER_SETTINGS

SAFE = "https://telemetry.example.org/api/v1/event"
NOTHING: Mapping[str, str] = {}


@pytest.fixture
def user_file() -> Path:
    """Return the user's settings file, which does not exist yet, in a directory that does."""
    return made(paths.config_files()[0])


@pytest.fixture
def site_file() -> Path:
    """Return the site's settings file, which does not exist yet, in a directory that does."""
    return made(paths.config_files()[1])


def made(path: Path) -> Path:
    """Make the directory of a path and return the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def problem(flags: Mapping[str, object], environ: Mapping[str, str] = NOTHING) -> str:
    """Return what is wrong with the settings, which must be one line."""
    with pytest.raises(SettingError) as caught:
        load(flags, environ)
    message = str(caught.value)
    assert message.splitlines() == [message]
    assert message.isprintable()
    return message


def test_defaults_are_complete() -> None:
    """Nothing has to be set, and the defaults go together."""
    config = load({}, NOTHING)

    root = paths.default_root()
    assert root is not None
    assert config == UploaderConfig(
        directories=paths.Directories(root, root / "spool"),
        mode_file=paths.mode_file(),
        endpoint="https://telemetry.flower.ai/api/v1/event",
        direct=False,
        concurrency=4,
        connect_timeout=10.0,
        read_timeout=60.0,
        rescan_interval=30.0,
        poll_interval=5.0,
        keep_sent=False,
        strict=False,
        sink="event",
        compression="none",
        batch_events=10_000,
        batch_bytes=2**20,
        batch_seconds=1.0,
        transport="auto",
    )


@pytest.mark.parametrize("setting", ALL_SETTINGS, ids=lambda setting: setting.name)
def test_a_setting_explains_itself(setting: Setting) -> None:
    """Help, the settings page and error messages are made of these."""
    assert setting.summary
    assert setting.why
    assert setting.allowed
    assert setting.default is None or setting.convert(setting.default) == setting.default


def test_flag_environment_user_site_default(user_file: Path, site_file: Path) -> None:
    """The first place that has the setting decides, and is named."""
    places: list[tuple[int, str]] = []
    flags: dict[str, object] = {"concurrency": "5"}
    environ = {"FLWR_TELEMETRY_CONCURRENCY": "6"}
    user_file.write_text("concurrency = 7\n")
    site_file.write_text("concurrency = 8\n")

    def note() -> None:
        found = resolve(flags, environ)["concurrency"]
        places.append((found.value, found.origin))

    note()
    flags.clear()
    note()
    environ.clear()
    note()
    user_file.unlink()
    note()
    site_file.unlink()
    note()

    assert places == [
        (5, "flag"),
        (6, "environment"),
        (7, str(user_file)),
        (8, str(site_file)),
        (4, "default"),
    ]


def test_each_setting_is_found_for_itself(user_file: Path, site_file: Path) -> None:
    """A file that has one setting does not hide the other one's."""
    user_file.write_text("concurrency = 2\n")
    site_file.write_text(f'concurrency = 3\nendpoint = "{SAFE}"\nkeep_sent = true\n')

    config = load({"read_timeout": "1.5"}, {"FLWR_TELEMETRY_KEEP_SENT": "no"})

    assert config.concurrency == 2
    assert config.endpoint == SAFE
    assert config.keep_sent is False
    assert config.read_timeout == 1.5


def test_a_variable_set_to_nothing_is_unset() -> None:
    """As in a service file whose line was emptied."""
    assert load({}, {"FLWR_TELEMETRY_CONCURRENCY": ""}).concurrency == 4


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("concurrency", "0"),
        ("concurrency", "65"),
        ("concurrency", "4.0"),
        ("concurrency", "four"),
        ("concurrency", "9" * 5000),
        ("connect_timeout", "0"),
        ("connect_timeout", "601"),
        ("connect_timeout", "nan"),
        ("connect_timeout", "inf"),
        ("read_timeout", "-1"),
        ("read_timeout", "3601"),
        ("rescan_interval", "0.05"),
        ("rescan_interval", "1h"),
        ("allow_insecure", "maybe"),
        ("keep_sent", "2"),
        ("endpoint", "telemetry.example.org"),
        ("endpoint", "ftp://telemetry.example.org/"),
        ("endpoint", "https:///api"),
        ("endpoint", "https://:443/api"),
        ("endpoint", "https://user:secret@example.org/"),
        ("endpoint", "https://example.org:0/"),
        ("endpoint", "https://example.org:99999/"),
        ("endpoint", "https://example.org:port/"),
        ("endpoint", "https://[::1/"),
        ("endpoint", "https://example.org/a b"),
        ("endpoint", "https://example.org/\nX: y"),
        ("dir", "relative/path"),
        ("spool_dir", "relative/path"),
        ("max_event_bytes", "1023"),
        ("max_event_bytes", "2MiB"),
        ("max_event_bytes", "KiB"),
    ],
)
def test_a_bad_value_is_one_line(name: str, bad: str) -> None:
    """It names the place, the setting, the value, and what is allowed."""
    (setting,) = (setting for setting in ALL_SETTINGS if setting.name == name)
    allowed = f"must be {setting.allowed}"

    assert problem({name: bad}) == f"{setting.flag} = {bad!r}: {allowed}"
    assert problem({}, {setting.variable: bad}) == f"{setting.variable} = {bad!r}: {allowed}"


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("concurrency", "true"),
        ("concurrency", "4.0"),
        ("connect_timeout", "false"),
        ("connect_timeout", "[1]"),
        ("keep_sent", "1"),
        ("endpoint", "7"),
        ("endpoint", "{ url = 1 }"),
        ("dir", "7"),
        ("dir", '"/tmp/a\\u0000b"'),
        ("fsync", '"perhaps"'),
    ],
)
def test_a_value_of_the_wrong_kind_in_a_file_is_one_line(
    user_file: Path, name: str, bad: str
) -> None:
    """It names the file as well."""
    user_file.write_text(f"{name} = {bad}\n")

    message = problem({})
    assert message.startswith(f"{user_file}: {name} = ")
    assert ": must be " in message


def test_a_flag_hides_what_a_file_says(user_file: Path) -> None:
    """Good or bad: somebody who tries another value need not mend the file first."""
    user_file.write_text("concurrency = 0\n")

    assert load({"concurrency": "1"}, NOTHING).concurrency == 1


@pytest.mark.parametrize(
    ("key", "rest"),
    [
        ("endpont", "'endpont': did you mean 'endpoint'?"),
        ("concurency", "'concurency': did you mean 'concurrency'?"),
        ("rescan-interval", "'rescan-interval': did you mean 'rescan_interval'?"),
        ("colour", "'colour'; telemetry-uploader check lists them"),
    ],
)
def test_an_unknown_key_comes_with_a_suggestion(user_file: Path, key: str, rest: str) -> None:
    """A setting that is silently passed over is worse than an error."""
    user_file.write_text(f"{key} = 1\n")

    assert problem({}) == f"{user_file}: unknown setting {rest}"


def test_a_table_is_an_unknown_key(user_file: Path) -> None:
    """There is one level only."""
    user_file.write_text(f'[uploader]\nendpoint = "{SAFE}"\n')

    assert problem({}).startswith(f"{user_file}: unknown setting 'uploader'")


@pytest.mark.parametrize(
    "content",
    [b"endpoint = \n", b"\xff\xfe", b"a = 1\na = 2\n", b"\x00", b"a = " + b"[" * 5000],
    ids=["no value", "no UTF-8", "key twice", "NUL", "nested too deep"],
)
def test_a_file_that_is_no_toml_is_one_line(site_file: Path, content: bytes) -> None:
    """Whichever of the two it is."""
    site_file.write_bytes(content)

    assert problem({}).startswith(f"{site_file}: not valid TOML: ")


def test_a_file_that_cannot_be_read_is_one_line(user_file: Path) -> None:
    """A directory in its place, for one."""
    user_file.mkdir()

    assert problem({}) == f"{user_file}: cannot be read: Is a directory"


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://example.org/",
        "http://127.1/",
        "http://127.0.0.1.example.org/",
        "http://localhost.example.org/",
        "http://10.0.0.1/",
        "http://0.0.0.0/",
        "HTTP://example.org/",
    ],
)
def test_events_do_not_cross_the_network_in_the_clear(endpoint: str) -> None:
    """Unless somebody says so; the line names both ways out."""
    assert problem({"endpoint": endpoint}) == (
        f"endpoint = {endpoint!r} (flag): events would cross the network in the clear; "
        "use https, or set allow_insecure = true"
    )
    insecure = {"FLWR_TELEMETRY_ALLOW_INSECURE": "1"}
    assert load({"endpoint": endpoint}, insecure).endpoint == endpoint


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://example.org/",
        "HTTPS://example.org/",
        "http://localhost:8787/api/v1/event",
        "http://LOCALHOST/",
        "http://127.0.0.1:8787/",
        "http://127.8.9.10/",
        "http://[::1]:8787/",
    ],
)
def test_https_and_loopback_are_safe(endpoint: str) -> None:
    """What never leaves the machine needs no encryption."""
    assert load({"endpoint": endpoint}, NOTHING).endpoint == endpoint


def test_the_spool_can_be_elsewhere(tmp_path: Path) -> None:
    """A drop box is for events only; the rest stays in the root."""
    config = load({"dir": str(tmp_path), "spool_dir": "/var/spool/x"}, NOTHING)

    assert config.directories == paths.Directories(tmp_path, Path("/var/spool/x"))


def test_a_tilde_is_the_home_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a file as on the command line."""
    monkeypatch.setenv("HOME", "/home/somebody")

    root = load({"dir": "~/telemetry"}, NOTHING).directories.root

    assert root == Path("/home/somebody/telemetry")


def test_without_a_home_a_directory_must_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """A container without one gets one line instead of a spool in its working directory."""
    monkeypatch.setattr(paths, "default_root", lambda: None)
    monkeypatch.setattr(paths, "mode_file", lambda: None)

    assert problem({}) == "no home directory to keep the spool in: set FLWR_TELEMETRY_DIR"
    config = load({"dir": "/telemetry"}, NOTHING)
    assert config.directories == paths.Directories(Path("/telemetry"), Path("/telemetry/spool"))
    assert config.mode_file is None


def test_names_are_the_same_everywhere() -> None:
    """File key, variable and flag follow from one name."""
    assert [(setting.variable, setting.flag) for setting in UPLOADER_SETTINGS][:3] == [
        ("FLWR_TELEMETRY_ENDPOINT", "--endpoint"),
        ("FLWR_TELEMETRY_SINK", "--sink"),
        ("FLWR_TELEMETRY_COMPRESSION", "--compression"),
    ]
    assert len({setting.variable for setting in ALL_SETTINGS}) == len(ALL_SETTINGS)


@pytest.mark.parametrize(
    ("endpoint", "allow_insecure", "direct"),
    [
        ("http://127.0.0.1:8787/", False, True),
        ("http://localhost:8787/", False, True),
        ("http://127.0.0.1:8787/", True, False),
        ("https://127.0.0.1:8787/", False, False),
        ("https://telemetry.example.org/", False, False),
    ],
)
def test_only_what_must_stay_on_this_machine_passes_proxies_by(
    endpoint: str, allow_insecure: bool, direct: bool
) -> None:
    """Plain http is allowed to loopback because nobody is in between: a proxy would be."""
    loaded = load({"endpoint": endpoint, "allow_insecure": allow_insecure}, {})

    assert loaded.direct is direct
