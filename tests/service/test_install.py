"""`install` and `uninstall` on a machine: what they do, what they refuse, what they say."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.service.machine import UPLOADER, VENV, Machine

UNIT = "flwr-telemetry-uploader.service"
UNITS = "/etc/systemd/system"
DROP_BOX = "/var/spool/flwr-telemetry"


@pytest.fixture(autouse=True)
def nothing_installed(machine: Machine) -> Iterator[None]:
    """End each test without a service."""
    yield
    machine.run(UPLOADER, "uninstall", "--system")
    machine.attempt("rm", "-rf", f"{DROP_BOX}.closed", "/var/lib/flwr-telemetry")


@pytest.fixture(scope="module")
def alice(machine: Machine) -> str:
    """Return the name of a user without a service manager."""
    machine.add_user("alice")
    return "alice"


def files(machine: Machine) -> dict[str, str]:
    """Return what there is of ours in /etc, with its content."""
    found = machine.run(
        "find", "/etc", "-path", "*flwr-telemetry*", "(", "-type", "f", "-o", "-type", "l", ")"
    )
    return {path: machine.run("cat", path) for path in sorted(found.split())}


def test_a_dry_run_shows_everything_and_does_nothing(machine: Machine) -> None:
    """What it shows is exactly what the real run then writes."""
    shown = json.loads(machine.run(UPLOADER, "install", "--system", "--dry-run", "--json"))
    as_text = machine.run(UPLOADER, "install", "--system", "--dry-run")
    before = files(machine)
    machine.run(UPLOADER, "install", "--system")

    planned = {step["path"]: step["content"] for step in shown["steps"] if "content" in step}
    assert before == {}
    assert planned.items() <= files(machine).items()
    assert set(files(machine)) - set(planned) == {f"{UNITS}/multi-user.target.wants/{UNIT}"}
    for step in shown["steps"]:
        expected = step.get("path") or " ".join(step["argv"])
        assert f"{step['action']} {expected}\n" in as_text


def test_installing_twice_is_installing_once(machine: Machine) -> None:
    """The files are the same, and the service runs again, with the code that is there now."""
    machine.run(UPLOADER, "install", "--system")
    once, first = files(machine), machine.ask_unit(UNIT, "MainPID")
    machine.run(UPLOADER, "install", "--system")

    assert files(machine) == once
    assert machine.ask_unit(UNIT, "MainPID") not in ("0", first)


def test_changing_to_on_demand_and_back(machine: Machine) -> None:
    """One kind at a time is installed and active."""
    machine.run(UPLOADER, "install", "--system")
    machine.run(UPLOADER, "install", "--system", "--on-demand")
    resident, path = machine.ask_unit(UNIT, "LoadState"), "flwr-telemetry-uploader.path"
    watching = machine.ask_unit(path, "ActiveState")
    machine.run(UPLOADER, "install", "--system")

    assert (resident, watching) == ("not-found", "active")
    assert machine.ask_unit(path, "LoadState") == "not-found"
    assert machine.ask_unit(UNIT, "ActiveState") == "active"


def test_the_drop_box_is_open_to_all_and_readable_by_none(machine: Machine, alice: str) -> None:
    """Mode 3733, owned by the service's user; the unit's state directory is readable."""
    machine.run(UPLOADER, "install", "--system")

    assert machine.run("stat", "-c", "%a %U %G", DROP_BOX) == "3733 flwr-telemetry flwr-telemetry\n"
    assert machine.run("stat", "-c", "%a %U", "/var/lib/flwr-telemetry") == "755 flwr-telemetry\n"
    assert machine.attempt("ls", DROP_BOX, user=alice).code != 0


@pytest.mark.parametrize("kind", [(), ("--on-demand",)])
def test_the_self_test_sends_to_itself_and_nowhere_else(
    machine: Machine, kind: tuple[str, ...]
) -> None:
    """Even where a policy names another endpoint; no trace of it stays."""
    machine.write("/etc/flwr-telemetry/policy.toml", 'endpoint = "https://192.0.2.1/"\n')
    try:
        said = machine.run(UPLOADER, "install", "--system", "--self-test", *kind)
    finally:
        machine.run("rm", "-r", "/etc/flwr-telemetry")

    assert "self-test: an event was spooled, sent to a collector here, and deleted" in said
    assert machine.names("/run/systemd/system") == []
    assert "flwr-telemetry-self-test" not in machine.names("/run")
    receipts = machine.names("/var/lib/flwr-telemetry/receipts")
    assert [name for name in machine.names(DROP_BOX) if name.endswith(".jsonl")] == receipts == []


def test_the_self_test_fails_where_the_service_could_not_send(machine: Machine) -> None:
    """A sandbox without a network, which a drop-in of the site's may make, is found out."""
    for unit in ("flwr-telemetry-self-test", "flwr-telemetry-uploader"):
        machine.write(f"{UNITS}/{unit}.service.d/50-site.conf", "[Service]\nPrivateNetwork=yes\n")
    done = machine.attempt(UPLOADER, "install", "--system", "--self-test")
    for unit in ("flwr-telemetry-self-test", "flwr-telemetry-uploader"):
        machine.run("rm", "-r", f"{UNITS}/{unit}.service.d/50-site.conf")

    assert done.code == 70
    assert "self-test: " in done.stderr
    assert "kept" in done.stderr


def test_uninstalling_leaves_the_spool_only_and_names_it(machine: Machine, alice: str) -> None:
    """Unsent events stay, under a name that nobody adds to; installing takes it back."""
    machine.write("/etc/xdg/flwr-telemetry/config.toml", 'endpoint = "http://127.0.0.1:9/"\n')
    machine.run(UPLOADER, "install", "--system")
    machine.record("PENDING", user=alice)
    said = machine.run(UPLOADER, "uninstall", "--system").splitlines()
    machine.run("rm", "-r", "/etc/xdg/flwr-telemetry")
    left = files(machine)
    machine.record("AT_HOME", user=alice)

    assert left == {}
    assert said == [
        f"left: {DROP_BOX}.closed",
        "left: /var/lib/flwr-telemetry",
        "left: the user flwr-telemetry, to whom they belong",
    ]
    assert machine.names("/home/alice/.local/state/flwr-telemetry/spool")
    assert machine.attempt("pgrep", "-u", "flwr-telemetry").stdout == ""
    machine.write("/etc/xdg/flwr-telemetry/config.toml", 'endpoint = "http://127.0.0.1:9/"\n')
    machine.run(UPLOADER, "install", "--system")
    machine.run("rm", "-r", "/etc/xdg/flwr-telemetry")
    assert "PENDING" in machine.run("sh", "-c", f"cat {DROP_BOX}/*.jsonl")


def test_an_installation_in_a_closed_home_works(machine: Machine) -> None:
    """As pipx makes one for root: of the homes, the service sees that and nothing else."""
    venv = "/root/.local/share/pipx/venvs/flwr-telemetry-spool"
    machine.run("chmod", "700", "/root")
    machine.run(f"{VENV}/bin/python", "-m", "venv", "--without-pip", venv)
    (site,) = (machine.root / VENV.lstrip("/")).glob("lib/python3*/site-packages")
    within = "/" + str(site.relative_to(machine.root))
    machine.write(f"{venv}/{'/'.join(site.parts[-3:])}/borrowed.pth", f"{within}\n")
    said = machine.attempt(
        f"{venv}/bin/python", "-m", "uploader.cli", "install", "--system", "--self-test"
    )

    assert (said.code, said.stderr) == (0, "")
    mounts = machine.run("cat", f"/proc/{machine.ask_unit(UNIT, 'MainPID')}/mounts")
    below_homes = {
        line.split()[1] for line in mounts.splitlines() if line.split()[1].startswith("/root/")
    }
    assert below_homes == {venv}


def test_an_installation_that_a_user_could_change_is_doubted(machine: Machine, alice: str) -> None:
    """The service would do what that user likes: it is installed, and said."""
    venv = "/srv/alice"
    machine.run(f"{VENV}/bin/python", "-m", "venv", "--without-pip", venv)
    (site,) = (machine.root / VENV.lstrip("/")).glob("lib/python3*/site-packages")
    within = "/" + str(site.relative_to(machine.root))
    machine.write(f"{venv}/{'/'.join(site.parts[-3:])}/borrowed.pth", f"{within}\n")
    machine.run("chown", "-R", alice, venv)
    said = machine.attempt(f"{venv}/bin/python", "-m", "uploader.cli", "install", "--system")

    assert said.code == 0
    assert f"{venv} belongs to user" in said.stderr


def test_a_service_that_does_not_start_is_reported_with_its_last_words(machine: Machine) -> None:
    """A wrong setting is not tried again and again; the line says where to look."""
    machine.write(
        f"{UNITS}/{UNIT}.d/50-site.conf",
        "[Service]\nExecStartPre=/bin/sh -c 'echo no luck; exit 1'\n",
    )
    done = machine.attempt(UPLOADER, "install", "--system")
    machine.run("rm", f"{UNITS}/{UNIT}.d/50-site.conf")

    assert done.code == 69
    assert f"{UNIT} does not run: no luck; see: journalctl --system -u {UNIT}\n" in done.stderr


def test_a_wrong_setting_ends_the_service_for_good(machine: Machine) -> None:
    """Exit code 78 is for a person: no restart."""
    machine.run(UPLOADER, "install", "--system")
    machine.write("/etc/xdg/flwr-telemetry/config.toml", "concurrency = 0\n")
    machine.attempt("systemctl", "restart", UNIT)
    machine.run("rm", "-r", "/etc/xdg/flwr-telemetry")

    assert machine.ask_unit(UNIT, "ActiveState") == "failed"
    assert machine.ask_unit(UNIT, "ExecMainStatus") == "78"
    assert machine.ask_unit(UNIT, "NRestarts") == "0"


def test_a_unit_of_somebody_elses_is_not_replaced(machine: Machine) -> None:
    """The line says what to do, and nothing is changed."""
    machine.write(f"{UNITS}/{UNIT}", "[Service]\nExecStart=/bin/true\n")
    done = machine.attempt(UPLOADER, "install", "--system")
    stays = machine.attempt(UPLOADER, "uninstall", "--system")
    machine.run("rm", f"{UNITS}/{UNIT}")

    assert (done.code, stays.code) == (73, 0)
    assert "move it away" in done.stderr
    assert "is not from this package and stays" in stays.stderr
    assert files(machine) == {}


def test_what_is_missing_is_said_in_one_line(machine: Machine, alice: str) -> None:
    """Without rights, without a manager: an exit code and the remedy."""
    no_rights = machine.attempt(UPLOADER, "install", "--system", user=alice)
    no_manager = machine.attempt(UPLOADER, "install", user=alice)

    assert (no_rights.code, no_manager.code) == (77, 69)
    assert "use sudo" in no_rights.stderr
    assert "loginctl enable-linger alice" in no_manager.stderr
    assert no_rights.stderr.count("\n") == no_manager.stderr.count("\n") == 1


def test_lingering_is_mentioned_until_it_is_on(machine: Machine, alice: str) -> None:
    """A user who would be logged out with the service running is told, and not told twice."""
    machine.start_manager(alice)
    off = machine.attempt(UPLOADER, "install", user=alice)
    machine.run("loginctl", "enable-linger", alice)
    on = machine.attempt(UPLOADER, "install", user=alice)
    machine.run(UPLOADER, "uninstall", user=alice)
    machine.run("loginctl", "disable-linger", alice)

    assert (off.code, on.code) == (0, 0)
    assert "loginctl enable-linger alice" in off.stderr
    assert on.stderr == ""


def test_where_the_system_serves_all_users_none_needs_a_service(
    machine: Machine, alice: str
) -> None:
    """A user's own service would find nothing to send."""
    machine.run(UPLOADER, "install", "--system")
    machine.start_manager(alice)
    done = machine.attempt(UPLOADER, "install", user=alice)

    assert done.code == 78
    assert "there is nothing to install" in done.stderr


def test_a_setting_that_only_this_shell_has_is_mentioned(machine: Machine) -> None:
    """The service does not get the environment of whoever installs it."""
    done = machine.attempt(
        *(UPLOADER, "install", "--system"), environ={"FLWR_TELEMETRY_CONCURRENCY": "8"}
    )

    assert done.code == 0
    assert "FLWR_TELEMETRY_CONCURRENCY is set here" in done.stderr
