"""Under launchd: the property lists against the documented keys, and the commands as typed.

There is no macOS here: `launchctl` is a script that writes down what it is asked.
"""

from __future__ import annotations

import os
import plistlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from telemetry_spool.paths import Directories
from tests.service.plans import OPT, commands
from tests.support.environments import REPOSITORY
from uploader.service.apply import apply
from uploader.service.installation import Installation, this_installation
from uploader.service.launchd import Job, install_steps, property_list, uninstall_steps
from uploader.service.launchd_manager import LaunchdManager
from uploader.service.obstacle import Obstacle

SHIPPED = sorted((REPOSITORY / "launchd").glob("*.plist"))

# launchd.plist(5): the keys used here and the type of each.
DOCUMENTED: dict[str, type] = {
    "Label": str,
    "ProgramArguments": list,
    "UserName": str,
    "GroupName": str,
    "EnvironmentVariables": dict,
    "RunAtLoad": bool,
    "KeepAlive": bool,
    "WatchPaths": list,
    "StartInterval": int,
    "ThrottleInterval": int,
    "ExitTimeOut": int,
    "ProcessType": str,
    "LowPriorityIO": bool,
    "LowPriorityBackgroundIO": bool,
    "Nice": int,
    "Umask": int,
    "StandardErrorPath": str,
}


def a_job(root: Path, *, system: bool = False, on_demand: bool = False) -> Job:
    """Return a job whose files go below `root`."""
    directories = Directories(root / "state", root / "state" / "spool")
    return Job(system, on_demand, OPT, directories, 501, root / "jobs", root / "logs")


@pytest.fixture
def launchctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a `launchctl` on PATH that notes its arguments; return the notes."""
    notes = tmp_path / "notes"
    program = tmp_path / "bin" / "launchctl"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$@" >>"{notes}"\ntest "$1" != print\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    return notes


@pytest.mark.parametrize("path", SHIPPED, ids=[path.name for path in SHIPPED])
def test_shipped_lists_have_documented_keys_only(path: Path) -> None:
    """A key that launchd does not know would be passed by without a word."""
    content: dict[str, Any] = plistlib.loads(path.read_bytes())

    assert {key: type(value) for key, value in content.items()} == {
        key: DOCUMENTED.get(key) for key in content
    }
    assert (content["ProcessType"], content["LowPriorityIO"]) == ("Background", True)
    assert content["ExitTimeOut"] > 6
    assert ("KeepAlive" in content) is ("on-demand" not in path.name)
    assert ("StartInterval" in content) is ("on-demand" in path.name)


@pytest.mark.parametrize("system", [False, True])
@pytest.mark.parametrize("on_demand", [False, True])
def test_installed_list_names_this_interpreter_and_this_spool(
    tmp_path: Path, system: bool, on_demand: bool
) -> None:
    """No path of the shipped file is left in what is installed."""
    job = a_job(tmp_path, system=system, on_demand=on_demand)
    text = property_list(job)
    content = plistlib.loads(text.encode())

    ending = ["once", "--wait", "10"] if on_demand else ["run"]
    assert content["ProgramArguments"] == [*OPT.command("uploader.cli"), *ending]
    assert content.get("WatchPaths", [str(job.directories.spool)]) == [str(job.directories.spool)]
    assert "/Users/USER" not in text
    assert "/var/" not in text.replace(str(tmp_path), "")


def test_an_agent_is_loaded_and_unloaded(tmp_path: Path, launchctl: Path) -> None:
    """The list is in place when launchd is asked for it, and gone in the end."""
    job = a_job(tmp_path)
    apply(install_steps(job))
    installed = job.plist.exists()
    apply(uninstall_steps(job))

    label = "gui/501/org.flwr-telemetry.uploader"
    assert launchctl.read_text().splitlines() == [
        f"bootout {label}",
        f"enable {label}",
        f"bootstrap gui/501 {job.plist}",
        f"bootout {label}",
    ]
    assert installed
    assert not job.plist.exists()


def test_a_daemon_gets_its_drop_box_before_it_starts(tmp_path: Path) -> None:
    """Anybody may add to it; it belongs to the daemon's user."""
    job = a_job(tmp_path, system=True)
    made, kept, *_, last = commands(list(install_steps(job)))

    owner = "-o _flwr-telemetry -g _flwr-telemetry"
    assert made == f"install -d -m 3733 {owner} {job.directories.spool}"
    assert kept == f"install -d -m 0755 {owner} {job.directories.root}"
    assert last == f"launchctl bootstrap system {job.plist}"


def test_a_job_that_launchd_does_not_have_is_reported(tmp_path: Path, launchctl: Path) -> None:
    """After installing, launchd is asked whether it has the job."""
    with pytest.raises(Obstacle, match="launchctl print gui/501"):
        LaunchdManager(a_job(tmp_path)).check_running(beats=True)
    assert launchctl.read_text() == "print gui/501/org.flwr-telemetry.uploader\n"


def test_a_daemon_without_its_user_is_not_installed(tmp_path: Path) -> None:
    """The line says where it is shown how to make one."""
    with pytest.raises(Obstacle, match=r"docs/service\.md") as caught:
        LaunchdManager(a_job(tmp_path, system=True)).install_steps()
    assert caught.value.code == os.EX_NOUSER


def test_the_self_test_runs_the_installed_interpreter(tmp_path: Path) -> None:
    """It passes with this one, and says so where the interpreter cannot run our code."""
    job = a_job(tmp_path)
    LaunchdManager(replace(job, installation=this_installation())).self_test()
    broken = Installation(Path("/bin/false"), ())

    with pytest.raises(Obstacle, match="self-test: /bin/false"):
        LaunchdManager(replace(job, installation=broken)).self_test()
