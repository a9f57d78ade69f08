"""What is to be done to a machine, as values: decided first, shown or carried out afterwards."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Write:
    """Write a file of ours."""

    path: Path
    content: str

    def __str__(self) -> str:
        body = "".join(f"    {line}\n" for line in self.content.splitlines())
        return f"write {self.path}\n{body}".rstrip()


@dataclass(frozen=True, slots=True)
class Remove:
    """Remove a file of ours, and its directory if that is one of drop-ins and now empty."""

    path: Path

    def __str__(self) -> str:
        return f"remove {self.path}"


@dataclass(frozen=True, slots=True)
class Rename:
    """Give a directory another name beside the old one."""

    path: Path
    target: Path

    def __str__(self) -> str:
        return f"rename {self.path} to {self.target}"


@dataclass(frozen=True, slots=True)
class Run:
    """Run a command; `tolerated` says that its failure changes nothing."""

    argv: tuple[str, ...]
    tolerated: bool = False

    def __str__(self) -> str:
        return f"run {shlex.join(self.argv)}"


Step = Write | Remove | Rename | Run


def as_json(step: Step) -> dict[str, object]:
    """Return a step as JSON says it."""
    match step:
        case Write(path, content):
            return {"action": "write", "path": str(path), "content": content}
        case Remove(path):
            return {"action": "remove", "path": str(path)}
        case Rename(path, target):
            return {"action": "rename", "path": str(path), "target": str(target)}
        case Run(argv):
            return {"action": "run", "argv": list(argv)}
