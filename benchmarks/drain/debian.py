"""Peers from Debian's archive, unpacked below .cache: nothing is installed, no service started.

They come from one release whatever this machine runs, with their own C library and loader, so that
the same versions are measured everywhere.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

RELEASE = "trixie"

# Each alone: two system loggers conflict with each other.
_WANTED = (("syslog-ng-core", "syslog-ng-mod-http"), ("rsyslog", "rsyslog-elasticsearch"))
_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
_PATIENCE_SECONDS = 300


class NotProvisioned(Exception):
    """Debian's packages are not to be had; the message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Tree:
    """The unpacked packages."""

    root: Path

    def argv(self, program: str) -> list[str]:
        """Return how a program of the tree is started: with the loader and libraries it knows."""
        loader = next((self.root / "usr/lib").glob("*/ld-linux*.so.*"))
        libraries = (loader.parent, self.root / "usr/lib/syslog-ng")
        path = ":".join(map(str, libraries))
        return [str(loader), "--library-path", path, str(self.root / "usr/sbin" / program)]

    def modules(self, program: str) -> str:
        """Return the directory of the program's plugins."""
        pattern = {"syslog-ng": "syslog-ng/[0-9]*", "rsyslogd": "*/rsyslog"}[program]
        return str(next((self.root / "usr/lib").glob(pattern)))


def provisioned(cache: Path) -> Tree:
    """Return the tree below `cache`, downloaded and unpacked unless it is there.

    Raises NotProvisioned.
    """
    tree = cache / f"bench-{RELEASE}"
    if not tree.exists():
        partial = cache / f"bench-{RELEASE}.partial"
        shutil.rmtree(partial, ignore_errors=True)
        _unpack(partial, _download(partial))
        (partial / "root").rename(tree)
        shutil.rmtree(partial)
    return Tree(tree)


def _download(directory: Path) -> list[Path]:
    """Download the packages and all that they depend on, with an apt that knows nothing else."""
    archive = _archive()
    for each in ("lists/partial", "archives/partial"):
        (directory / each).mkdir(parents=True)
    (directory / "status").touch()
    sources = directory / "sources.list"
    sources.write_text(f"deb [signed-by={_KEYRING}] {archive} {RELEASE} main\n")
    options = {
        "Dir::Etc::SourceList": sources,
        "Dir::Etc::SourceParts": "-",
        "Dir::State::Lists": directory / "lists",
        "Dir::State::Status": directory / "status",
        "Dir::Cache::Archives": directory / "archives",
        "Dir::Cache::PkgCache": "",
        "Dir::Cache::SrcPkgCache": "",
        "APT::Sandbox::User": "root",
    }
    settings = [part for name, value in options.items() for part in ("-o", f"{name}={value}")]
    _run(["apt-get", *settings, "update", "-qq"])
    for packages in _WANTED:
        flags = ("--no-install-recommends", "--download-only", "-y", "-qq")
        _run(["apt-get", *settings, "install", *flags, *packages])
    return sorted((directory / "archives").glob("*.deb"))


def _unpack(directory: Path, packages: Sequence[Path]) -> None:
    for package in packages:
        _run(["dpkg", "--extract", str(package), str(directory / "root")])


def _archive() -> str:
    """Return the address of the Debian archive that this machine's apt uses."""
    if not (shutil.which("apt-get") and Path(_KEYRING).exists()):
        raise NotProvisioned("this is no Debian: install it, with its HTTP output, on PATH")
    listed = _run(["apt-get", "indextargets", "--format", "$(ORIGIN) $(COMPONENT) $(REPO_URI)"])
    for line in listed.splitlines():
        origin, component, address = line.split(" ", 2)
        if (origin, component) == ("Debian", "main") and "security" not in address:
            return address
    raise NotProvisioned("apt knows no archive of Debian: run 'apt-get update' once")


def _run(argv: Sequence[str]) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - apt-get and dpkg
            argv, check=True, capture_output=True, text=True, timeout=_PATIENCE_SECONDS
        )
    except subprocess.CalledProcessError as failed:
        said = failed.stderr.strip().splitlines() or ["it said nothing"]
        raise NotProvisioned(f"{argv[0]} failed: {said[-1]}") from failed
    except subprocess.TimeoutExpired as slow:
        raise NotProvisioned(f"{argv[0]} took longer than {_PATIENCE_SECONDS} s") from slow
    return done.stdout
