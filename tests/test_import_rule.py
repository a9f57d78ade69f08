"""The promise that a machine can check: inside Flower there is nothing that could send or linger.

Both halves are needed: what is loaded while events are recorded, and what the source could load.
"""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import telemetry_spool
from tests.conftest import Place, run_python

PACKAGE = Path(telemetry_spool.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))

# What only the command line loads; it may load more, and opens no socket either.
COMMAND_LINE = {"cli.py"}

# A module of this name, or one below it.
FORBIDDEN = (
    "_posixsubprocess",
    "_socket",
    "_ssl",
    "aiohttp",
    "asyncio",
    "ftplib",
    "http",
    "httpx",
    "multiprocessing",
    "requests",
    "select",
    "selectors",
    "smtplib",
    "socket",
    "socketserver",
    "ssl",
    "subprocess",
    "uploader",
    "urllib.request",
    "urllib3",
    "xmlrpc",
)

# What starts a thread or a process, or runs at the end of one, as it is written in the source.
STARTERS = {
    "Popen",
    "ProcessPoolExecutor",
    "Thread",
    "ThreadPoolExecutor",
    "Timer",
    "_exithandlers",
    "execv",
    "execve",
    "execvp",
    "execvpe",
    "fork",
    "forkpty",
    "popen",
    "posix_spawn",
    "posix_spawnp",
    "register_at_fork",
    "setitimer",
    "spawnl",
    "spawnv",
    "spawnve",
    "start_new_thread",
    "system",
}

REPORT = (
    "\nimport json, sys, threading; print(json.dumps([threading.active_count(), *sys.modules]))"
)

WAYS_TO_USE_IT = {
    "import": "import telemetry_spool",
    "every name": "from telemetry_spool import *",
    "events": "from telemetry_spool import event\nevent('A')\nevent('B', {'n': 1})",
    "a loss": "from telemetry_spool import event\nevent('A', {'n': 'x' * 100_000})",
    "a bad event": "from telemetry_spool import event\nevent('A', {'n': object()})",
    "sealing": "from telemetry_spool import event\nfor n in range(99): event('A', {'n': [n] * 99})",
    "a spool": "from telemetry_spool import Spool\nSpool().append(b'{}')",
    "the bridge": "from telemetry_spool import install\ninstall()",
}


def forbidden(module: str) -> bool:
    """Tell whether a module, or a package it is in, may not be loaded."""
    return any(module == name or module.startswith(f"{name}.") for name in FORBIDDEN)


@pytest.mark.parametrize("logging", ["0", "1"])
@pytest.mark.parametrize("code", WAYS_TO_USE_IT.values(), ids=WAYS_TO_USE_IT.keys())
def test_nothing_that_could_reach_the_network_is_loaded(
    place: Place, code: str, logging: str
) -> None:
    """In an interpreter without start-up files, which loads nothing by itself."""
    done = run_python(
        f"import sys; sys.path += {[str(PACKAGE.parent), *sys.path]!r}\n{code}{REPORT}",
        environ=place.environ
        | {
            "FLWR_TELEMETRY_LOGGING": logging,
            "FLWR_TELEMETRY_MAX_SEGMENT_BYTES": "8KiB",
            "FLWR_TELEMETRY_MAX_SPOOL_BYTES": "16KiB",
        },
        flags=("-S",),
    )

    threads, *modules = json.loads(done.stdout)
    assert "telemetry_spool" in modules
    assert [module for module in modules if forbidden(module)] == []
    assert threads == 1


def test_the_check_would_find_what_is_forbidden() -> None:
    """A list that no module matches would prove nothing."""
    done = run_python(f"import urllib.request{REPORT}", flags=("-I", "-S"))

    found = {module for module in json.loads(done.stdout)[1:] if forbidden(module)}
    assert {"_socket", "http.client", "select", "socket", "urllib.request"} <= found


def imports(tree: ast.AST) -> Iterator[str]:
    """Yield the names of the modules that a source imports anywhere, lazily too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute here"
            yield str(node.module)
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def names(tree: ast.AST) -> Iterator[str]:
    """Yield every name and attribute that a source uses."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.ImportFrom):
            yield from (alias.name for alias in node.names)


def parsed(module: Path) -> ast.AST:
    """Return the syntax tree of a module."""
    return ast.parse(module.read_bytes(), str(module))


def relative(module: Path) -> str:
    """Return a module's path in the package."""
    return str(module.relative_to(PACKAGE))


@pytest.mark.parametrize("module", MODULES, ids=relative)
def test_no_module_imports_what_could_reach_the_network(module: Path) -> None:
    """Not even in a function that is seldom called; the uploader imports this, not vice versa."""
    found = [name for name in imports(parsed(module)) if forbidden(name)]

    allowed = {"subprocess"} if relative(module) in COMMAND_LINE else set[str]()
    assert [name for name in found if name.split(".")[0] not in allowed] == []


@pytest.mark.parametrize("module", MODULES, ids=relative)
def test_no_module_registers_an_exit_hook_or_starts_anything(module: Path) -> None:
    """A program ends when it ends, and nothing runs beside it."""
    tree = parsed(module)

    hooks = [name for name in imports(tree) if name in ("atexit", "signal", "_thread")]
    started = [name for name in names(tree) if name in STARTERS]
    assert (hooks, started) == ([], [])


def test_events_do_not_load_the_command_line(place: Place) -> None:
    """The heavy libraries of the commands stay out of Flower's processes."""
    done = run_python(
        f"from telemetry_spool import event\nevent('A'){REPORT}", environ=place.environ
    )

    heavy = {"typer", "rich", "click", "psutil", "watchdog", "telemetry_spool.cli"}
    assert heavy & set(json.loads(done.stdout)[1:]) == set()
