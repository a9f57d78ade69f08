"""Looking at Python environments from outside, without running anything of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from telemetry_spool.environments import environment_at
from tests.conftest import FLOWER_TELEMETRY


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    """Return an environment with Flower and our start-up file, as pip would install them."""
    packages = tmp_path / "lib" / "python3.12" / "site-packages"
    for name in ("flwr/supercore", "flwr-1.41.0.dist-info", "flwr_nightly-1.dist-info"):
        (packages / name).mkdir(parents=True)
    (packages / "flwr" / "supercore" / "telemetry.py").write_text(FLOWER_TELEMETRY)
    (packages / "flwr_telemetry_spool.pth").write_text("import sys")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to("/usr/bin/python3")
    return tmp_path


def telemetry(prefix: Path) -> Path:
    """Return the telemetry module of Flower in an environment."""
    return next(prefix.rglob("telemetry.py"))


def test_an_environment_is_found_by_its_interpreter_or_directory(prefix: Path) -> None:
    """The interpreter of a virtual environment is a link; where it leads does not matter."""
    found = environment_at(prefix / "bin" / "python")

    assert found == environment_at(prefix)
    assert found is not None
    assert (found.place, found.hooked) == (str(prefix), True)
    assert (found.flower, found.misfits) == (("flwr 1.41.0",), ())


def test_what_is_no_environment_is_none(tmp_path: Path) -> None:
    """Nor a file that is not there."""
    assert environment_at(tmp_path) is None
    assert environment_at(tmp_path / "bin" / "python") is None


def test_a_missing_start_up_file_is_seen(prefix: Path) -> None:
    """Then Flower sends by itself."""
    next(prefix.rglob("*.pth")).unlink()

    found = environment_at(prefix)
    assert found is not None
    assert not found.hooked


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("event_details):", "event_details, more):", "its create_event() takes other arguments"),
        ("def create_event(", "def make_event(", "it has no create_event() of its own"),
        ("FLWR_TELEMETRY_LOGGING", "LOGGING", "it has no FLWR_TELEMETRY_LOGGING"),
        ("urlopen", "open_url", "its create_event() does not send with urllib.request"),
        ("def event(", "def event(*", "its event() takes other arguments"),
    ],
)
def test_a_telemetry_module_that_cannot_be_spooled_is_named(
    prefix: Path, old: str, new: str, reason: str
) -> None:
    """With the reason that the hook would give, and without running a line of it."""
    text = FLOWER_TELEMETRY.replace(old, new) + "\nraise SystemExit('it was run')\n"
    telemetry(prefix).write_text(text)

    found = environment_at(prefix)

    assert found is not None
    assert found.misfits == (f"flwr.supercore.telemetry: {reason}",)


def test_a_telemetry_module_that_is_no_python_is_named(prefix: Path) -> None:
    """It may be for a newer Python than this one."""
    telemetry(prefix).write_text("def (")

    found = environment_at(prefix)
    assert found is not None
    (misfit,) = found.misfits
    assert misfit.startswith("flwr.supercore.telemetry: it cannot be read: ")
