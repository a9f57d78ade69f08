"""Installing the package is enough, in every form of installation; uninstalling leaves nothing."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.flower.conftest import NewHome
from tests.flower.versions import EVERY, Version, name_of
from tests.support.environments import Environment, bare, copy_sources, pip, wheel

START_UP_FILES = ("flwr_telemetry_spool.pth", "flwr_telemetry_spool.start")

FINDER = "telemetry_spool.startup.FlowerFinder"
FINDERS = (
    "import sys; print([f'{type(each).__module__}.{type(each).__qualname__}'"
    " for each in sys.meta_path])"
)

# What an interpreter of PEP 829 (Python 3.15) does with a start file: call each entry point.
START_ENTRIES = """
import pkgutil, sys
for line in open(sys.argv[1]):
    entry = pkgutil.resolve_name(line.strip())
    print(line.strip(), callable(entry))
    entry()
"""


def interpreter(environment: Environment, *arguments: str, **variables: str) -> str:
    """Return what the environment's interpreter prints; it must end well and without a word."""
    done = subprocess.run(
        [environment.python, *arguments],
        env={"PATH": "/usr/bin:/bin", **variables},
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.fixture(scope="module", params=["wheel", "editable"])
def installed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Environment:
    """Install the package in both ways, each into a fresh environment."""
    directory = tmp_path_factory.mktemp("install")
    environment = bare(directory / "environment")
    if request.param == "wheel":
        pip(environment, "install", "--no-deps", str(wheel()))
    else:
        source = copy_sources(directory / "source")
        pip(environment, "install", "--no-deps", "--editable", str(source))
    return environment


def test_both_start_up_files_are_installed(installed: Environment) -> None:
    """The .pth file serves today's interpreters, the .start file those of PEP 829."""
    assert [name for name in START_UP_FILES if (installed.site_packages / name).is_file()] == [
        *START_UP_FILES
    ]


def test_a_bare_interpreter_has_the_finder(installed: Environment) -> None:
    """It is the first on the meta path, and there once."""
    finders = interpreter(installed, "-c", FINDERS)

    assert finders.startswith(f"['{FINDER}'")
    assert finders.count(FINDER) == 1


def test_the_start_entry_can_be_called(installed: Environment) -> None:
    """It resolves to a callable, and calling it where the finder is already does nothing more."""
    start_file = str(installed.site_packages / "flwr_telemetry_spool.start")

    said = interpreter(installed, "-c", START_ENTRIES + FINDERS, start_file)

    entry, finders = said.splitlines()
    assert entry == "telemetry_spool.startup:arm True"
    assert finders.count(FINDER) == 1


def test_the_start_entry_is_enough(installed: Environment) -> None:
    """Where no .pth file is read (`-S`), it puts the finder there."""
    start_file = str(installed.site_packages / "flwr_telemetry_spool.start")
    path = f"import sys; sys.path[:0] = {import_path(installed)!r}\n"

    said = interpreter(installed, "-S", "-c", path + START_ENTRIES + FINDERS, start_file)

    assert f"['{FINDER}'" in said


def import_path(environment: Environment) -> list[str]:
    """Return the directories from which the environment imports what is installed in it."""
    editable = environment.root.parent / "source"
    return [str(editable if editable.exists() else environment.site_packages)]


def test_the_variable_keeps_the_finder_away(installed: Environment) -> None:
    """`FLWR_TELEMETRY_SPOOL=0` leaves the meta path as it is."""
    assert FINDER not in interpreter(installed, "-c", FINDERS, FLWR_TELEMETRY_SPOOL="0")


def test_the_start_up_file_loads_next_to_nothing(installed: Environment) -> None:
    """An interpreter that never imports Flower pays for this package's own two modules only."""
    loaded = "import sys; print(sorted(sys.modules))"

    with_finder = interpreter(installed, "-c", loaded)
    without = interpreter(installed, "-S", "-c", loaded)

    assert {
        name
        for name in set(eval(with_finder)) - set(eval(without))
        if name.partition(".")[0] == "telemetry_spool"
    } == {"telemetry_spool", "telemetry_spool.startup"}


@pytest.mark.parametrize("version", EVERY, ids=name_of)
def test_flower_is_patched_unless_the_variable_forbids_it(
    version: Version, new_home: NewHome
) -> None:
    """`event()` is ours by default; with `FLWR_TELEMETRY_SPOOL=0`, module and meta path are not."""
    home = new_home(version.environment)
    look = (
        f"import sys, {version.module}; module = sys.modules['{version.module}'];"
        "print(hasattr(module.event, '__telemetry_spool__'), type(module.urllib).__name__,"
        " module.event.__code__.co_filename == module.create_event.__code__.co_filename,"
        " 'telemetry_spool' in sys.modules)"
    )
    answers = {
        spool: home.start("python", "-c", look, variables={"FLWR_TELEMETRY_SPOOL": spool}).succeed()
        for spool in ("1", "0")
    }

    assert answers["1"].stdout.split() == ["True", "SimpleNamespace", "False", "True"]
    assert answers["0"].stdout.split()[:3] == ["False", "module", "True"]


def test_uninstalling_leaves_a_silent_interpreter(tmp_path: Path) -> None:
    """Nothing of the package is left, and the interpreter starts without a word."""
    environment = bare(tmp_path / "environment")
    before = interpreter(environment, "-c", FINDERS)
    pip(environment, "install", "--no-deps", str(wheel()))
    assert FINDER in interpreter(environment, "-c", FINDERS)

    pip(environment, "uninstall", "--yes", "flwr-telemetry-spool")

    assert interpreter(environment, "-c", FINDERS) == before
    assert not list(environment.site_packages.glob("*telemetry*"))


def test_a_start_up_file_left_alone_is_silent(tmp_path: Path) -> None:
    """Where the package is gone and its .pth file is not, the interpreter starts without a word."""
    environment = bare(tmp_path / "environment")
    pip(environment, "install", "--no-deps", str(wheel()))
    for module in ("__init__.py", "startup.py"):
        (environment.site_packages / "telemetry_spool" / module).unlink()

    assert FINDER not in interpreter(environment, "-c", FINDERS)
