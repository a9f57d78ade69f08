"""What installing under systemd takes, as values; and what carrying it out does to files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.service.plans import OPT, a_service, commands, written
from uploader.service.apply import CommandFailed, NotOurs, apply
from uploader.service.installation import Installation
from uploader.service.shipped import MARK, shipped
from uploader.service.steps import Remove, Rename, Run, Write
from uploader.service.systemd import (
    ONCE,
    PATH,
    RESIDENT,
    TIMER,
    Scope,
    install_steps,
    self_test_steps,
    uninstall_steps,
)

NOTHING: frozenset[Path] = frozenset()
UNITS = Path("/units")


def test_units_are_installed_as_they_are_shipped() -> None:
    """What an administrator reads in the repository is what gets onto the machine."""
    files = written(list(install_steps(a_service(), NOTHING)))

    assert files[f"/units/{RESIDENT}"] == shipped("systemd", "system", RESIDENT)
    assert MARK in files[f"/units/{RESIDENT}"].splitlines()[0]


def test_the_service_runs_the_interpreter_that_installed_it() -> None:
    """The drop-in names the interpreter; the arguments are those of the unit."""
    files = written(list(install_steps(a_service(on_demand=True), NOTHING)))

    assert (
        "ExecStart=/opt/uploader/bin/python -P -m uploader.cli once --wait 10\n"
        in (files[f"/units/{ONCE}.d/10-installation.conf"])
    )


@pytest.mark.parametrize(
    ("path", "in_unit"),
    [
        ("/opt/with space/python", '"/opt/with space/python"'),
        ("/opt/100%/python", "/opt/100%%/python"),
        ("/opt/$HOME/python", "/opt/$$HOME/python"),
        ('/opt/a"b/python', '"/opt/a\\"b/python"'),
    ],
)
def test_odd_paths_are_meant_literally(path: str, in_unit: str) -> None:
    """No space, quote, specifier or variable in a path changes the command."""
    service = a_service(installation=Installation(Path(path), ()))
    files = written(list(install_steps(service, NOTHING)))

    assert f"ExecStart={in_unit} -P" in files[f"/units/{RESIDENT}.d/10-installation.conf"]


def test_an_installation_in_a_home_is_all_that_the_sandbox_shows_of_homes() -> None:
    """Where Python lies in /root, it alone is bound into otherwise empty homes."""
    pipx = Path("/root/.local/pipx")
    service = a_service(installation=Installation(pipx / "bin/python", (pipx, Path("/usr"))))
    drop_in = written(list(install_steps(service, NOTHING)))[
        f"/units/{RESIDENT}.d/10-installation.conf"
    ]

    assert "ProtectHome=tmpfs\n" in drop_in
    assert [line for line in drop_in.splitlines() if line.startswith("Bind")] == [
        "BindReadOnlyPaths=/root/.local/pipx"
    ]


def test_on_demand_watches_the_segment_that_this_users_processes_write() -> None:
    """Wherever the user's spool is, the path unit and the condition look there."""
    spool = Path("/data/my spool")
    files = written(
        list(install_steps(a_service(scope=Scope.USER, on_demand=True, spool=spool), NOTHING))
    )

    assert (
        "PathChanged=/data/my spool/host.1000.active.jsonl\n"
        in (files[f"/units/{PATH}.d/10-installation.conf"])
    )
    assert 'exit 1\' sh "/data/my spool"\n' in files[f"/units/{ONCE}.d/10-installation.conf"]


def test_changing_the_kind_takes_the_other_one_away() -> None:
    """After `install --on-demand`, no resident uploader is left, and the other way round."""
    resident = frozenset({UNITS / RESIDENT, UNITS / f"{RESIDENT}.d/10-installation.conf"})
    steps = list(install_steps(a_service(on_demand=True), resident))

    assert f"systemctl --system disable --now {RESIDENT}" in commands(steps)
    assert {step.path for step in steps if isinstance(step, Remove)} == resident
    assert commands(steps)[-1] == f"systemctl --system restart {PATH} {TIMER}"


def test_the_watch_ends_before_the_sender() -> None:
    """Uninstalling does not start what it has just stopped."""
    present = frozenset(UNITS / unit for unit in (ONCE, PATH, TIMER))
    first, *_ = commands(list(uninstall_steps(a_service(), present)))

    assert first == f"systemctl --system disable --now {PATH} {TIMER} {ONCE}"


def test_users_do_not_go_on_filling_a_drop_box_that_nobody_serves() -> None:
    """Uninstalling gives it another name, installing gives it the old one back."""
    service = a_service()
    drop_box, closed = service.places.drop_box, service.places.closed_drop_box

    away = list(uninstall_steps(service, frozenset({UNITS / RESIDENT, drop_box})))
    back = list(install_steps(service, frozenset({closed})))
    assert Rename(drop_box, closed) in away
    assert back[0] == Rename(closed, drop_box)
    assert Rename(closed, drop_box) not in install_steps(service, frozenset({closed, drop_box}))


def test_uninstalling_nothing_does_nothing() -> None:
    """Where nothing is installed there are no steps."""
    assert list(uninstall_steps(a_service(), NOTHING)) == []


def test_a_users_service_touches_nothing_of_the_systems() -> None:
    """No command is for the system's manager, and no file is outside of the user's units."""
    steps = list(install_steps(a_service(scope=Scope.USER), NOTHING))

    assert all(command.startswith("systemctl --user ") for command in commands(steps))
    assert all(path.startswith("/units/") for path in written(steps))


def test_the_self_test_has_the_sandbox_of_the_service_and_another_command() -> None:
    """Its unit is the shipped one; only what is run, and when, is changed by a drop-in."""
    files = written(list(self_test_steps(a_service(), "http://127.0.0.1:1/")))
    unit, installation, probe = files.values()

    assert unit == shipped("systemd", "system", ONCE)
    assert OPT.command("uploader.cli")[0] in installation
    changed = {line.partition("=")[0] for line in probe.splitlines() if "=" in line}
    assert changed == {
        "ExecCondition",
        "ExecStartPre",
        "ExecStart",
        "RuntimeDirectory",
        "TimeoutStartSec",
    }


def ours(path: Path) -> Write:
    """Return the step that writes one of our files."""
    return Write(path, f"# {MARK}\n[Unit]\n")


def test_a_file_of_somebody_elses_is_not_replaced(tmp_path: Path) -> None:
    """Nothing at all is done then, not even what comes before it."""
    theirs = tmp_path / "theirs.service"
    theirs.write_text("[Unit]\n")

    with pytest.raises(NotOurs, match="move it away"):
        apply([ours(tmp_path / "ours.service"), ours(theirs)])
    assert theirs.read_text() == "[Unit]\n"
    assert sorted(os.listdir(tmp_path)) == ["theirs.service"]


def test_a_link_in_the_way_is_not_followed(tmp_path: Path) -> None:
    """A masked unit, a link to /dev/null, stays masked."""
    (tmp_path / "masked.service").symlink_to("/dev/null")

    with pytest.raises(NotOurs):
        apply([ours(tmp_path / "masked.service")])


def test_our_own_file_is_replaced_and_readable_whatever_the_umask(tmp_path: Path) -> None:
    """The manager runs as somebody else; nothing temporary is left beside it."""
    path = tmp_path / "a.d" / "ours.conf"
    before = os.umask(0o077)
    try:
        apply([ours(path), Write(path, f"# {MARK}\nnew\n")])
    finally:
        os.umask(before)

    assert path.read_text() == f"# {MARK}\nnew\n"
    assert path.stat().st_mode & 0o777 == 0o644
    assert os.listdir(path.parent) == ["ours.conf"]


def test_drop_ins_of_the_administrators_stay(tmp_path: Path) -> None:
    """Removing ours leaves what else is in the directory, and says what is not ours."""
    directory = tmp_path / "x.service.d"
    apply([ours(directory / "10-ours.conf")])
    (directory / "override.conf").write_text("[Service]\nNice=1\n")

    stayed = apply([Remove(directory / "10-ours.conf"), Remove(directory / "override.conf")])
    assert os.listdir(directory) == ["override.conf"]
    assert stayed == [directory / "override.conf"]


def test_a_failing_command_ends_the_steps_unless_it_is_tolerated(tmp_path: Path) -> None:
    """What comes after a failure is not done, and the message has the command's own words."""
    later = ours(tmp_path / "later")

    with pytest.raises(CommandFailed, match=r"^sh -c .* no way$"):
        apply([Run(("sh", "-c", "echo no way >&2; exit 3")), later])
    assert not later.path.exists()
    apply([Run(("sh", "-c", "exit 3"), tolerated=True), later])
    assert later.path.exists()
