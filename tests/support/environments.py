"""Virtual environments with real Flower and the wheel of this checkout, made once and kept.

They live in `.cache/envs` of the checkout. The first use of each downloads Flower; later ones cost
a look at a stamp file, or the reinstallation of the wheel where the sources have changed. Who edits
the sources while tests run in another process changes the code that those tests run.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
CACHE = REPOSITORY / ".cache"

REQUIREMENTS = {
    "flwr-1.41": "flwr[simulation]<1.42",
    "flwr-1.20": "flwr==1.20.0",
    "flwr-1.5": "flwr==1.5.0",
    "flwr-datasets": "flwr-datasets==0.6.0",
}

OTHERS = {
    "logprep": "logprep>=21,<22",
    "chdb": "chdb-core-lite>=26,<27",
}
"""Programs that have nothing to do with Flower, each in an environment without anything of ours."""

# What the wheel is built from.
_SOURCES = (
    "telemetry_spool",
    "uploader",
    "hatch_build.py",
    "startup",
    "systemd",
    "launchd",
    "pyproject.toml",
    "README.md",
    "LICENSE",
)

# Taken before any test hides the home directory, where pip has its settings and its cache.
_ENVIRON = dict(os.environ)

# pip warns about every index it may not use: only the end of what it says is about a failure.
_SHOWN_CHARACTERS = 3000


class NotProvisioned(Exception):
    """An environment could not be made; the message has the end of what pip said."""


@dataclass(frozen=True, slots=True)
class Environment:
    """A virtual environment."""

    root: Path

    @property
    def bin(self) -> Path:
        """Where its programs are."""
        return self.root / "bin"

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.bin / "python"

    @property
    def site_packages(self) -> Path:
        """Where pip installs into it."""
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        return self.root / "lib" / version / "site-packages"


def environment(name: str) -> Environment:
    """Return the environment of this name from `REQUIREMENTS`, with the wheel of this checkout.

    Raises NotProvisioned.
    """
    made = Environment(CACHE / "envs" / name)
    with _locked(name):
        wanted = json.dumps([sys.version, REQUIREMENTS[name], *_dependencies()])
        _once(
            made, "third-party", wanted, lambda: _create(made, REQUIREMENTS[name], *_dependencies())
        )
        built = wheel()
        _once(made, "wheel", str(built), lambda: _reinstall(made, built))
    return made


def another(name: str) -> Environment:
    """Return the environment of this name from `OTHERS`. Raises NotProvisioned."""
    made = Environment(CACHE / "envs" / name)
    with _locked(name):
        wanted = json.dumps([sys.version, OTHERS[name]])
        _once(made, "third-party", wanted, lambda: _create(made, OTHERS[name]))
    return made


def bare(root: Path) -> Environment:
    """Make a virtual environment without anything in it, not even pip."""
    _run([sys.executable, "-m", "venv", "--without-pip", str(root)])
    return Environment(root)


def pip(target: Environment, *arguments: str) -> None:
    """Run the pip of this interpreter on an environment. Raises NotProvisioned."""
    _run([sys.executable, "-m", "pip", "--python", str(target.python), *arguments])


def wheel() -> Path:
    """Return the wheel of this checkout, built anew where the sources have changed.

    It is built from a copy: somebody may be editing, and the name must tell what is in it.
    """
    with _locked("wheel"):
        known = _wheels(_digest(REPOSITORY))
        if known:
            return known[0]
        with tempfile.TemporaryDirectory() as temporary:
            copy = copy_sources(Path(temporary) / "source")
            digest = _digest(copy)
            if not _wheels(digest):
                built = Path(temporary) / "wheel"
                build(copy, built)
                shutil.copytree(built, CACHE / "wheels" / digest)
        return _wheels(digest)[0]


def build(source: Path, directory: Path, **variables: str) -> None:
    """Build the wheel of a copy of the sources into a directory. Raises NotProvisioned."""
    _run([sys.executable, "-m", "pip", "wheel", "--no-deps", "-w", directory, source], **variables)


def wheelhouse() -> Path:
    """Return a directory with the wheels of pip and of what this package needs, downloaded once."""
    wanted = json.dumps([sys.version, *_dependencies()])
    house = CACHE / "wheelhouse"
    with _locked("wheelhouse"):
        _once(Environment(house), "wheels", wanted, lambda: _download(house))
    return house


def _download(house: Path) -> None:
    shutil.rmtree(house, ignore_errors=True)
    house.mkdir()
    binary = ("--only-binary", ":all:")
    _run([sys.executable, "-m", "pip", "download", *binary, "-d", house, "pip", *_dependencies()])


def copy_sources(target: Path) -> Path:
    """Copy what the wheel is built from to a new directory and return that."""
    target.mkdir()
    for name in _SOURCES:
        source = REPOSITORY / name
        if source.is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, target / name, ignore=ignored)
        elif source.exists():
            shutil.copy2(source, target / name)
    return target


def _wheels(digest: str) -> list[Path]:
    return list((CACHE / "wheels" / digest).glob("*.whl"))


def _digest(root: Path) -> str:
    digest = hashlib.sha256()
    for name in _SOURCES:
        for path in sorted([root / name, *(root / name).rglob("*")]):
            if path.is_file() and "__pycache__" not in path.parts:
                digest.update(f"{path.relative_to(root)}\0{path.stat().st_size}\0".encode())
                digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _dependencies() -> list[str]:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
    return [str(dependency) for dependency in project["dependencies"]]


def _create(target: Environment, *requirements: str) -> None:
    shutil.rmtree(target.root, ignore_errors=True)
    bare(target.root)
    pip(target, "install", *requirements)


def _reinstall(target: Environment, built: Path) -> None:
    pip(target, "install", "--no-deps", "--force-reinstall", str(built))


def _once(target: Environment, topic: str, wanted: str, make: Callable[[], None]) -> None:
    """Call `make` unless a stamp says that it has been done for what is wanted now."""
    stamp = target.root / f"{topic}.stamp"
    if stamp.exists() and stamp.read_text("utf-8") == wanted:
        return
    stamp.unlink(missing_ok=True)
    make()
    stamp.write_text(wanted, "utf-8")


@contextmanager
def _locked(name: str) -> Iterator[None]:
    """Let one process at a time work on `name`."""
    CACHE.mkdir(exist_ok=True)
    with (CACHE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _run(command: Sequence[str | Path], **variables: str) -> None:
    done = subprocess.run(
        command,
        env=_ENVIRON | variables,
        check=False,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    if done.returncode != 0:
        shown = " ".join(map(str, command))
        raise NotProvisioned(f"{shown}\n{done.stdout[-_SHOWN_CHARACTERS:]}")
