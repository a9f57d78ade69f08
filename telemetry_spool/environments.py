"""Look at Python environments from outside: is Flower there, and would its telemetry be spooled?

Nothing of an environment is imported or run: its files say enough.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FunctionType, ModuleType

from telemetry_spool.flower import misfit
from telemetry_spool.startup import TELEMETRY_MODULES, FlowerFinder

_START_FILE = "flwr_telemetry_spool.pth"
_DISTRIBUTION = re.compile(r"(?P<name>flwr|flwr_datasets)-(?P<version>[^-]+)\.dist-info")


@dataclass(frozen=True, slots=True)
class Environment:
    """A Python environment: where its packages are, and what of ours and of Flower's is there.

    `flower` has name and version of each of Flower's packages, `misfits` the telemetry modules that
    cannot be spooled, with the reason.
    """

    place: str
    hooked: bool
    flower: tuple[str, ...]
    misfits: tuple[str, ...]


def this_environment() -> Environment:
    """Look at the environment that runs this."""
    found = _inspect(str(Path(sys.prefix)), [Path(part) for part in sys.path if part])
    armed = any(type(finder).__name__ == FlowerFinder.__name__ for finder in sys.meta_path)
    return Environment(found.place, armed, found.flower, found.misfits)


def environment_at(path: Path) -> Environment | None:
    """Look at the environment of an interpreter, or in a directory; None if there is none.

    Raises OSError if it cannot be read.
    """
    prefix = path if path.is_dir() else path.parent.parent
    found = prefix.glob("lib*/python3*/*-packages")
    directories = {directory.resolve() for directory in found if directory.is_dir()}
    return _inspect(str(prefix), sorted(directories)) if directories else None


def _inspect(place: str, directories: Iterable[Path]) -> Environment:
    hooked = False
    flower: list[str] = []
    misfits: list[str] = []
    for directory in directories:
        if not (os.path.isdir(directory) and os.access(directory, os.R_OK | os.X_OK)):
            continue
        hooked = hooked or (directory / _START_FILE).exists()
        flower += [
            f"{match['name']} {match['version']}"
            for entry in sorted(directory.glob("flwr*.dist-info"))
            if (match := _DISTRIBUTION.fullmatch(entry.name))
        ]
        for name in TELEMETRY_MODULES:
            file = directory.joinpath(*name.split(".")).with_suffix(".py")
            if file.is_file() and (reason := _misfit_of(file)):
                misfits.append(f"{name}: {reason}")
    return Environment(place, hooked, tuple(flower), tuple(misfits))


def _misfit_of(file: Path) -> str | None:
    """Say why a telemetry module cannot be spooled, from its source; None if it can."""
    module = ModuleType(file.stem)
    try:
        code = compile(file.read_bytes(), str(file), "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        return f"it cannot be read: {error}"
    for constant in code.co_consts:
        if isinstance(constant, CodeType) and not constant.co_freevars:
            setattr(module, constant.co_name, FunctionType(constant, vars(module)))
    for name in code.co_names:
        if name.startswith("FLWR_TELEMETRY_"):
            setattr(module, name, "1")
    return misfit(module)
