"""What installing under systemd takes: a function of values, which touches nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from telemetry_spool import paths
from uploader.service.installation import Installation
from uploader.service.shipped import MARK, PROGRAM, shipped
from uploader.service.steps import Remove, Rename, Run, Step, Write

RESIDENT = "flwr-telemetry-uploader.service"
ONCE = "flwr-telemetry-once.service"
PATH = "flwr-telemetry-uploader.path"
TIMER = "flwr-telemetry-uploader.timer"
UNITS = (RESIDENT, ONCE, PATH, TIMER)
SELF_TEST = "flwr-telemetry-self-test.service"

USER_NAME = "flwr-telemetry"
"""The system service's user and group."""

_DROP_IN = "10-installation.conf"
_HEAD = f"# {MARK}: installing again replaces this file.\n"


class Scope(Enum):
    """Whose service it is."""

    USER = "user"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Places:
    """Where things go. `closed_drop_box` is the name of the drop box once nobody serves it."""

    units: Path
    runtime_units: Path
    runtime: Path
    drop_box: Path = paths.DROP_BOX
    sysusers: Path = Path("/etc/sysusers.d/flwr-telemetry.conf")
    tmpfiles: Path = Path("/etc/tmpfiles.d/flwr-telemetry.conf")

    @property
    def closed_drop_box(self) -> Path:
        """Return the drop box's name while there is no service."""
        return self.drop_box.with_name(f"{self.drop_box.name}.closed")


@dataclass(frozen=True, slots=True)
class Spooled:
    """Where a user's events are: the spool, and the segment that this host's processes write."""

    spool: Path
    active: Path


@dataclass(frozen=True, slots=True)
class Service:
    """Which service: whose, of which kind, from which installation, for which spool."""

    scope: Scope
    on_demand: bool
    installation: Installation
    places: Places
    spooled: Spooled

    @property
    def enabled(self) -> tuple[str, ...]:
        """Return the units that are to be active from now on."""
        return (PATH, TIMER) if self.on_demand else (RESIDENT,)

    @property
    def units(self) -> tuple[str, ...]:
        """Return the units that this kind of service consists of."""
        return (ONCE, PATH, TIMER) if self.on_demand else (RESIDENT,)


def systemctl(scope: Scope, *arguments: str) -> tuple[str, ...]:
    """Return a systemctl command for the manager of this scope."""
    return ("systemctl", f"--{scope.value}", *arguments)


def concerned(service: Service) -> Iterator[Path]:
    """Yield every path that installing or uninstalling may touch."""
    for unit in UNITS:
        yield _drop_in_of(service, unit)
        yield service.places.units / unit
    if service.scope is Scope.SYSTEM:
        yield from (service.places.sysusers, service.places.tmpfiles)
        yield from (service.places.drop_box, service.places.closed_drop_box)


def install_steps(service: Service, present: frozenset[Path]) -> Iterator[Step]:
    """Yield what to do, in order. `present` has those of `concerned` that exist."""
    places, scope = service.places, service.scope
    if scope is Scope.SYSTEM:
        if places.closed_drop_box in present and places.drop_box not in present:
            yield Rename(places.closed_drop_box, places.drop_box)
        for path, directory in ((places.sysusers, "sysusers.d"), (places.tmpfiles, "tmpfiles.d")):
            yield Write(path, shipped("systemd", directory, path.name))
        yield Run(("systemd-sysusers", str(places.sysusers)))
        yield Run(("systemd-tmpfiles", "--create", str(places.tmpfiles)))
    yield from _remove_units(service, present, _installed(service, present) - set(service.units))
    for unit in service.units:
        text = shipped("systemd", scope.value, unit)
        yield Write(places.units / unit, text)
        drop_in = _particulars(service, unit, text)
        if drop_in:
            yield Write(_drop_in_of(service, unit), f"{_HEAD}{drop_in}")
    yield Run(systemctl(scope, "daemon-reload"))
    # After a failure or an upgrade of the package, too.
    yield Run(systemctl(scope, "reset-failed", *service.units), tolerated=True)
    yield Run(systemctl(scope, "enable", *service.enabled))
    yield Run(systemctl(scope, "restart", *service.enabled))


def uninstall_steps(service: Service, present: frozenset[Path]) -> Iterator[Step]:
    """Yield what to do, in order. The drop box gets another name, so that nobody adds to it."""
    places = service.places
    installed = _installed(service, present)
    yield from _remove_units(service, present, installed)
    if service.scope is Scope.SYSTEM:
        for path in (places.sysusers, places.tmpfiles):
            if path in present:
                yield Remove(path)
        if places.drop_box in present and places.closed_drop_box not in present:
            yield Rename(places.drop_box, places.closed_drop_box)
    if installed:
        yield Run(systemctl(service.scope, "daemon-reload"))
        yield Run(systemctl(service.scope, "reset-failed", *sorted(installed)), tolerated=True)


def _installed(service: Service, present: frozenset[Path]) -> frozenset[str]:
    return frozenset(unit for unit in UNITS if service.places.units / unit in present)


def _remove_units(
    service: Service, present: frozenset[Path], units: frozenset[str]
) -> Iterator[Step]:
    if units:
        # The watch and the timer first: they would start the sender again.
        by_kind = sorted(units, key=lambda unit: (unit.endswith(".service"), unit))
        yield Run(systemctl(service.scope, "disable", "--now", *by_kind), tolerated=True)
    for unit in sorted(units):
        for path in (_drop_in_of(service, unit), service.places.units / unit):
            if path in present:
                yield Remove(path)


def _drop_in_of(service: Service, unit: str) -> Path:
    return service.places.units / f"{unit}.d" / _DROP_IN


def _particulars(service: Service, unit: str, text: str) -> str:
    """Return what only this installation knows, for a drop-in beside a unit as shipped."""
    if unit == PATH and service.scope is Scope.USER:
        return f"[Path]\nPathChanged=\nPathChanged={_escaped(str(service.spooled.active))}\n"
    if not unit.endswith(".service"):
        return ""
    arguments = _value(text, "ExecStart").removeprefix(PROGRAM).split()
    command = _command_line(service.installation.command("uploader.cli", *arguments))
    lines = ["[Service]", "ExecStart=", f"ExecStart={command}"]
    if unit == ONCE and service.scope is Scope.USER:
        looks, _, _ = _value(text, "ExecCondition").rpartition(" ")
        spool = _command_line((str(service.spooled.spool),))
        lines += ["ExecCondition=", f"ExecCondition={looks} {spool}"]
    if service.scope is Scope.SYSTEM and service.installation.in_homes:
        lines += ["# Of all that is in homes, it sees the installation that it runs from."]
        lines += ["ProtectHome=tmpfs"]
        lines += [
            f"BindReadOnlyPaths={_quoted(str(path))}" for path in service.installation.in_homes
        ]
    return "".join(f"{line}\n" for line in lines)


def self_test_steps(service: Service, endpoint: str) -> Iterator[Step]:
    """Yield what runs one event through a unit with the service's own sandbox, and no other name.

    It is made where the manager forgets it at the next boot, and `self_test_ending` removes it.
    """
    places, scope = service.places, service.scope
    text = shipped("systemd", scope.value, ONCE)
    root = places.runtime / "flwr-telemetry-self-test"
    command = service.installation.command("uploader.service.probe", endpoint, str(root))
    probe = (
        "[Service]\nExecCondition=\nExecStartPre=\nExecStart=\n"
        f"ExecStart={_command_line(command)}\n"
        f"RuntimeDirectory={root.name}\nTimeoutStartSec=60s\n"
    )
    drop_ins = places.runtime_units / f"{SELF_TEST}.d"
    yield Write(places.runtime_units / SELF_TEST, text)
    yield Write(drop_ins / _DROP_IN, f"{_HEAD}{_particulars(service, ONCE, text)}")
    yield Write(drop_ins / "20-probe.conf", f"{_HEAD}{probe}")
    yield Run(systemctl(scope, "daemon-reload"))
    yield Run(systemctl(scope, "start", SELF_TEST))


def self_test_ending(service: Service) -> Iterator[Step]:
    """Yield what takes the self-test's unit away."""
    drop_ins = service.places.runtime_units / f"{SELF_TEST}.d"
    yield Remove(drop_ins / _DROP_IN)
    yield Remove(drop_ins / "20-probe.conf")
    yield Remove(service.places.runtime_units / SELF_TEST)
    yield Run(systemctl(service.scope, "reset-failed", SELF_TEST), tolerated=True)
    yield Run(systemctl(service.scope, "daemon-reload"))


def _value(unit_text: str, key: str) -> str:
    """Return what a unit assigns to a key, the first time."""
    lines = (line for line in unit_text.splitlines() if line.startswith(f"{key}="))
    return next(lines).removeprefix(f"{key}=")


def _escaped(text: str) -> str:
    """Write text so that a unit file means it literally."""
    return text.replace("%", "%%")


def _quoted(word: str) -> str:
    """Write a word so that a unit file means it literally."""
    plain = _escaped(word).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{plain}"' if not word or any(sign in word for sign in " \t'\"\\;") else plain


def _command_line(words: tuple[str, ...]) -> str:
    """Write a command so that a unit file means it literally."""
    return " ".join(_quoted(word).replace("$", "$$") for word in words)
