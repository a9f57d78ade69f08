"""The page as a file: where it goes, that it is private, and that it is whole at every moment."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from telemetry_spool.paths import Directories

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class NoPlace(Exception):
    """The page cannot go there; the message is one line and names the remedy."""


def default_file(directories: Directories) -> Path:
    """Return the place of the page: in the root, or in a new directory where that is not ours.

    Whoever looks has not asked for a root. Either directory is private. Raises OSError.
    """
    root = directories.root
    if not (root.is_dir() and root.stat().st_uid == os.geteuid() and os.access(root, os.W_OK)):
        return Path(tempfile.mkdtemp(prefix="flwr-telemetry-")) / directories.page.name
    directories.page.parent.mkdir(mode=0o700, exist_ok=True)
    return directories.page


def chosen_file(output: Path) -> Path:
    """Return the place that a person has chosen, behind its links.

    Raises NoPlace: putting a file in the place of a device or a directory would take that away.
    """
    target = output.expanduser().resolve()
    if target.exists() and not target.is_file():
        raise NoPlace(f"{output} is no regular file: choose another name, or - for stdout")
    return target


def write(path: Path, page: str) -> None:
    """Write the page, readable by its owner alone; a browser sees the old one or the new one.

    Raises OSError.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with suppress(FileNotFoundError):
        temporary.unlink()  # of a process with this pid that was killed
    try:
        with os.fdopen(os.open(temporary, _NEW, 0o600), "w", encoding="utf-8") as file:
            file.write(page)
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
