"""Carry out steps: files are replaced at once or not at all, and only those that are ours."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from uploader.service.shipped import MARK
from uploader.service.steps import Remove, Rename, Run, Step, Write

_HEAD_BYTES = 400
_COMMAND_SECONDS = 120.0


class NotOurs(Exception):
    """A file is in the way that we have not written; the message names it and the remedy."""


class CommandFailed(Exception):
    """A step's command failed; the message has the command and what it said."""

    def __init__(self, step: Run, said: str) -> None:
        super().__init__(f"{' '.join(step.argv)}: {said}")
        self.step = step


def apply(steps: Iterable[Step]) -> list[Path]:
    """Carry out steps in order; return files that stayed because they are not ours.

    Raises NotOurs before anything is done, CommandFailed, or OSError.
    """
    todo = list(steps)
    for step in todo:
        if isinstance(step, Write) and os.path.lexists(step.path) and not _is_ours(step.path):
            raise NotOurs(f"{step.path} is not from this package: move it away and try again")
    return [path for step in todo if (path := _carry_out(step))]


def _carry_out(step: Step) -> Path | None:
    """Carry out one step; return a file that was to be removed and is not ours."""
    match step:
        case Write(path, content):
            _write(path, content)
        case Remove(path):
            return _remove(path)
        case Rename(path, target):
            if path.is_dir() and not os.path.lexists(target):
                path.rename(target)
        case Run():
            _run(step)
    return None


def _is_ours(path: Path) -> bool:
    if path.is_symlink() or not path.is_file():
        return False
    with path.open("rb") as file:
        return MARK.encode() in file.read(_HEAD_BYTES)


def _write(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(temporary, flags, 0o644), "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), 0o644)  # the manager reads it, whatever the umask here is
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def _remove(path: Path) -> Path | None:
    if os.path.lexists(path):
        if not _is_ours(path):
            return path
        path.unlink()
    if path.parent.name.endswith(".d"):
        with suppress(OSError):  # somebody's own drop-ins are there, or it is a system directory
            path.parent.rmdir()
    return None


def _run(step: Run) -> None:
    try:
        done = subprocess.run(  # noqa: S603 - the commands are those of the plan
            step.argv,
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_COMMAND_SECONDS,
        )
    except (FileNotFoundError, subprocess.TimeoutExpired) as error:
        if step.tolerated:
            return
        raise CommandFailed(step, str(error)) from error
    if done.returncode != 0 and not step.tolerated:
        said = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
        raise CommandFailed(step, said)
