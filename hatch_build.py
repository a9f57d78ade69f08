"""Compile `uploader/lines.c` into wheels, and beside it for editable installs.

Without a C compiler the package is built without it, for any machine: everything works, slower.
`CC`, `CFLAGS` and `LDFLAGS` count as usual.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sysconfig
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SOURCE = "uploader/lines.c"
LIBRARY = "uploader/_lines.so"
FLAGS = ("-std=c11", "-O2", "-fPIC", "-shared", "-fvisibility=hidden")


class CompileHook(BuildHookInterface[Any]):
    """Adds the library to a wheel, which then is one for this kind of machine."""

    _temporary: TemporaryDirectory[str] | None = None

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile it if that is possible."""
        if version == "editable":
            compiled = self._compile(Path(self.root, LIBRARY))
        else:
            self._temporary = TemporaryDirectory()
            library = Path(self._temporary.name, "_lines.so")
            compiled = self._compile(library)
            if compiled:
                build_data["force_include"][str(library)] = LIBRARY
        if compiled:
            build_data["pure_python"] = False
            build_data["tag"] = f"py3-none-{_platform()}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Clean up: the wheel has it."""
        del version, build_data, artifact_path
        if self._temporary is not None:
            self._temporary.cleanup()

    def _compile(self, library: Path) -> bool:
        temporary = library.with_name(f"{library.name}.tmp")
        source = str(Path(self.root, SOURCE))
        command = [
            *_words("CC", "cc"),
            *FLAGS,
            *_words("CFLAGS"),
            *("-o", str(temporary), source),
            *_words("LDFLAGS"),
        ]
        try:
            subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - `CC`
        except (OSError, subprocess.CalledProcessError) as error:
            said = getattr(error, "stderr", None) or error
            self.app.display_warning(f"built without {SOURCE}, and so slower: {said}")
            library.unlink(missing_ok=True)  # it may be of an older source
            return False
        temporary.rename(library)
        return True


def _words(variable: str, default: str = "") -> list[str]:
    return shlex.split(os.environ.get(variable, default))


def _platform() -> str:
    """Return the tag of this kind of machine: where its C library is as new as this one's."""
    return sysconfig.get_platform().replace("-", "_").replace(".", "_")
