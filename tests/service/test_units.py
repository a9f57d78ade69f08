"""The unit files as shipped."""

from __future__ import annotations

import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from tests.support.environments import REPOSITORY, wheel
from uploader.service.shipped import MARK

SYSTEMD = REPOSITORY / "systemd"
EVERY_FILE = sorted(
    path
    for name in ("systemd", "launchd")
    for path in (REPOSITORY / name).rglob("*.*")
    if path.is_file()
)
MOST_EXPOSURE = 1.5


def settings(path: Path) -> list[str]:
    """Return the [Service] lines that say how a service is confined, in order."""
    section = path.read_text("utf-8").partition("[Service]")[2].partition("[Install]")[0]
    lines = [line for line in section.splitlines() if "=" in line and not line.startswith("#")]
    return lines[lines.index("Nice=10") :]


@pytest.mark.parametrize("scope", ["system", "user"])
def test_both_kinds_of_service_are_confined_alike(scope: str) -> None:
    """The resident and the on-demand service differ in what they run, not in what they may."""
    resident = settings(SYSTEMD / scope / "flwr-telemetry-uploader.service")

    assert resident == settings(SYSTEMD / scope / "flwr-telemetry-once.service")
    assert "NoNewPrivileges=yes" in resident


@pytest.mark.parametrize("name", ["flwr-telemetry-uploader.service", "flwr-telemetry-once.service"])
def test_exposure_as_shipped_is_low_and_what_remains_is_justified(name: str) -> None:
    """`systemd-analyze security` says at most 1.5; a comment names each finding that is left."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    unit = SYSTEMD / "system" / name
    report = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", unit],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    comments = "".join(
        line for line in unit.read_text("utf-8").splitlines(keepends=True) if line.startswith("#")
    )
    exposure = re.search(r"exposure level for \S+: ([0-9.]+)", report)
    findings = re.findall(r"✗ (\w+)=", report)

    assert exposure is not None
    assert float(exposure[1]) <= MOST_EXPOSURE
    assert findings
    assert [finding for finding in findings if f"{finding}=" not in comments] == []


@pytest.mark.parametrize("path", EVERY_FILE, ids=[path.name for path in EVERY_FILE])
def test_every_shipped_file_says_whose_it_is(path: Path) -> None:
    """Installing replaces and removes only files with this mark near their beginning."""
    assert MARK in path.read_text("utf-8")[:400]


def test_the_wheel_has_them_all() -> None:
    """What `install` writes comes with the package."""
    with zipfile.ZipFile(wheel()) as archive:
        found = {name for name in archive.namelist() if name.startswith("uploader/service/")}

    shipped = {f"uploader/service/{path.relative_to(REPOSITORY)}" for path in EVERY_FILE}
    assert shipped <= found
    assert len(shipped) == 14
