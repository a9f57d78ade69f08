"""The start-up file: next to nothing in every process, and Flower patched when it is imported."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

import telemetry_spool
from telemetry_spool.startup import TELEMETRY_MODULES, FlowerFinder, arm
from tests.conftest import FLOWER_TELEMETRY, Place, run_python

REPOSITORY = Path(telemetry_spool.__file__).parents[1]
START_UP_FILE = REPOSITORY / "startup" / "flwr_telemetry_spool.pth"

# Without the environment's own start-up files: they have loaded what is to be tested already.
BARE = ("-I", "-S")
FIND_PACKAGE = f"import os, sys; sys.path.insert(0, {str(REPOSITORY)!r})\n"


@pytest.fixture
def meta_path(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Return the finders without ours: this environment may have it installed."""
    finders: list[object] = [
        finder for finder in sys.meta_path if not isinstance(finder, FlowerFinder)
    ]
    monkeypatch.setattr(sys, "meta_path", finders)
    return finders


@pytest.fixture
def flower_packages(tmp_path: Path) -> Path:
    """Write a package for each telemetry module of Flower; return where to import them from."""
    for name in TELEMETRY_MODULES:
        *packages, module = name.split(".")
        directory = tmp_path / "flower"
        for package in packages:
            directory = directory / package
            directory.mkdir(parents=True, exist_ok=True)
            (directory / "__init__.py").touch()
        (directory / f"{module}.py").write_text(FLOWER_TELEMETRY)
    return tmp_path / "flower"


def test_the_start_up_module_loads_no_other_module() -> None:
    """Neither importing it nor arming it costs a process what it has not loaded anyway."""
    done = run_python(
        FIND_PACKAGE + "before = set(sys.modules)\n"
        "from telemetry_spool.startup import arm\n"
        "arm()\n"
        "print(*sorted(set(sys.modules) - before))",
        flags=BARE,
    )

    assert done.stdout.split() == ["telemetry_spool", "telemetry_spool.startup"]


def test_a_process_without_flower_loads_nothing_more() -> None:
    """The finder passes every other module by without a look."""
    done = run_python(
        FIND_PACKAGE + "from telemetry_spool.startup import arm\n"
        "arm()\n"
        "import json, http.client, xml.dom\n"
        "print(*sorted(name for name in sys.modules if name.startswith('telemetry_spool')))",
        flags=BARE,
    )

    assert done.stdout.split() == ["telemetry_spool", "telemetry_spool.startup"]


def test_the_finder_is_put_first_and_once(meta_path: list[object]) -> None:
    """Two start-up files, or one and `install()`, do no harm."""
    before = list(meta_path)

    arm()
    arm()

    assert isinstance(meta_path[0], FlowerFinder)
    assert meta_path[1:] == before


@pytest.mark.parametrize(("value", "armed"), [("0", False), ("1", True), ("", True)])
def test_a_variable_leaves_flower_untouched(
    meta_path: list[object], monkeypatch: pytest.MonkeyPatch, value: str, *, armed: bool
) -> None:
    """`FLWR_TELEMETRY_SPOOL=0`, and no other value."""
    monkeypatch.setenv("FLWR_TELEMETRY_SPOOL", value)

    arm()

    assert any(isinstance(finder, FlowerFinder) for finder in meta_path) is armed


@pytest.mark.parametrize("name", TELEMETRY_MODULES)
def test_a_telemetry_module_is_patched_when_it_is_imported(
    place: Place, flower_packages: Path, name: str
) -> None:
    """Before anybody can take the old `event` from it."""
    done = run_python(
        f"""
import sys
sys.path.insert(0, sys.argv[1])
from telemetry_spool.startup import arm
arm()
from {name} import event
print(event("RUN").result(timeout=0))
import {name} as module
print("exec_module" in vars(module.__spec__.loader), module.__spec__.name)
""",
        str(flower_packages),
        environ=place.environ,
    )

    assert done.stdout.splitlines() == ['{"status": "spooled"}', f"False {name}"]
    assert [event["event_type"] for event in place.events()] == ["RUN"]


def test_the_start_up_file_works_from_a_site_directory(
    place: Place, flower_packages: Path, tmp_path: Path
) -> None:
    """As pip installs it: one line, no import by hand."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / START_UP_FILE.name).write_bytes(START_UP_FILE.read_bytes())

    done = run_python(
        f"""
import site, sys
sys.path += [{str(REPOSITORY)!r}, *sys.argv[2:]]
site.addsitedir(sys.argv[1])
from flwr.common.telemetry import event
print(event("RUN").done())
""",
        str(tmp_path / "site"),
        str(flower_packages),
        *sys.path,
        environ=place.environ,
        flags=("-I", "-S"),
    )

    assert done.stdout == "True\n"
    assert done.stderr == ""


def test_the_start_up_file_is_silent_where_the_package_is_gone(tmp_path: Path) -> None:
    """A half removed installation must not put an error before every program's output."""
    (tmp_path / START_UP_FILE.name).write_bytes(START_UP_FILE.read_bytes())

    done = run_python(
        "import site, sys; site.addsitedir(sys.argv[1])", str(tmp_path), flags=("-I", "-S")
    )

    assert (done.stdout, done.stderr) == ("", "")


def test_the_two_kinds_of_start_up_file_run_the_same() -> None:
    """Python 3.15 reads `.start` files; both must be one line, or older Pythons print errors."""
    pth = START_UP_FILE.read_text().splitlines()
    start = START_UP_FILE.with_suffix(".start").read_text().splitlines()

    assert start == ["telemetry_spool.startup:arm"]
    assert len(pth) == 1
    assert "from telemetry_spool.startup import arm" in pth[0]


def test_a_telemetry_module_that_fails_to_import_fails_as_before(
    place: Place, flower_packages: Path
) -> None:
    """Its own error, and the import can be tried again."""
    module = flower_packages / "flwr" / "common" / "telemetry.py"
    module.write_text("raise ValueError('of its own')")

    done = run_python(
        """
import sys
sys.path.insert(0, sys.argv[1])
from telemetry_spool.startup import arm
arm()
for _ in range(2):
    try:
        import flwr.common.telemetry
    except ValueError as error:
        print(error)
""",
        str(flower_packages),
        environ=place.environ,
    )

    assert done.stdout == "of its own\nof its own\n"


def test_an_absent_telemetry_module_is_absent(meta_path: list[object]) -> None:
    """As without the finder; finders of the old kind are passed by."""
    meta_path.insert(0, object())

    assert FlowerFinder().find_spec("flwr.no_such_module") is None
    assert FlowerFinder().find_spec(TELEMETRY_MODULES[0], path=[]) is None


def test_a_loader_that_cannot_be_shadowed_loads_as_before(
    monkeypatch: pytest.MonkeyPatch, meta_path: list[object]
) -> None:
    """Flower is left as it is then."""
    from importlib.machinery import ModuleSpec

    class Slotted:
        __slots__ = ()

        def create_module(self, spec: ModuleSpec) -> None:
            """Leave the module to the import system."""

        def exec_module(self, module: object) -> None:
            """Execute nothing."""

    class Finder:
        def find_spec(self, name: str, *_: object) -> ModuleSpec:
            return ModuleSpec(name, Slotted())  # type: ignore[arg-type]

    meta_path.insert(0, Finder())
    monkeypatch.setattr(sys, "meta_path", meta_path)

    spec = FlowerFinder().find_spec(TELEMETRY_MODULES[0])

    assert spec is not None
    assert isinstance(spec.loader, Slotted)


def test_other_systems_are_left_alone(
    meta_path: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without flock there is no spool: Windows keeps Flower as it is."""
    before = list(meta_path)

    with monkeypatch.context() as patch:
        patch.setattr(os, "name", "nt")
        arm()

    assert meta_path == before


IMPORT_AND_RECORD = """
from flwr.common import telemetry
print(telemetry.event("PING", {}).result())
"""


RELOADED = """
import importlib, telemetry_spool.startup as s
s.arm(); importlib.reload(s); s.arm()
"""

LOADED_ANEW = """
import telemetry_spool.startup as s
s.arm()
for name in [name for name in sys.modules if name.startswith("telemetry_spool")]:
    del sys.modules[name]
import telemetry_spool
telemetry_spool.install()
"""

ASKED_IN_BETWEEN = """
import importlib.util, telemetry_spool.startup as s
class Curious:
    asked = False
    def find_spec(self, name, path=None, target=None):
        if name == "flwr.common.telemetry" and not Curious.asked:
            Curious.asked = True
            return importlib.util.find_spec(name)
s.arm(); sys.meta_path.insert(1, Curious())
"""


@pytest.mark.parametrize(
    "before",
    [RELOADED, LOADED_ANEW, ASKED_IN_BETWEEN],
    ids=["reloaded", "loaded anew", "another finder asks in between"],
)
def test_flower_is_spooled_whatever_happens_to_the_finders(
    place: Place, flower_packages: Path, before: str
) -> None:
    """Neither a second finder of ours nor one of somebody else's breaks the import."""
    done = run_python(
        f"{FIND_PACKAGE}sys.path.insert(0, {str(flower_packages)!r})\n{before}\n"
        + IMPORT_AND_RECORD,
        environ=place.environ,
    )

    assert (done.stdout, done.stderr) == ('{"status": "spooled"}\n', "")


def test_flower_imports_after_this_package_was_uninstalled(flower_packages: Path) -> None:
    """A process that runs since before, such as a notebook, still has the finder."""
    done = run_python(
        f"{FIND_PACKAGE}import telemetry_spool.startup as s; s.arm()\n"
        f"sys.path[0] = {str(flower_packages)!r}; sys.modules['telemetry_spool.flower'] = None\n"
        "from flwr.common import telemetry\n"
        "print(telemetry.event.__name__)",
        flags=BARE,
    )

    assert (done.stdout, done.stderr) == ("event\n", "")
