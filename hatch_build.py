"""Compile `uploader/lines.c` into wheels, and beside it for editable installs.

Without a C compiler the package is built without it, for any machine: everything works, slower.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SOURCE = "uploader/lines.c"
LIBRARY = "uploader/_lines.so"

# The extensible binary interface of Python is not used: one library serves all its versions.
FLAGS = ("-std=c11", "-O2", "-fPIC", "-shared", "-fvisibility=hidden")


class CompileHook(BuildHookInterface[Any]):
    """Adds the library to a wheel, which then is one for this kind of machine."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile it if that is possible."""
        editable = version == "editable"
        directory = self.root if editable else tempfile.mkdtemp()
        library = Path(directory, LIBRARY if editable else "_lines.so")
        if not self._compile(library):
            return
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{_platform()}"
        if not editable:
            build_data["force_include"][str(library)] = LIBRARY

    def _compile(self, library: Path) -> bool:
        compiler = shlex.split(os.environ.get("CC", "cc"))
        temporary = library.with_name(f"{library.name}.tmp")
        command = [*compiler, *FLAGS, "-o", str(temporary), str(Path(self.root, SOURCE))]
        try:
            subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - `CC`
        except (OSError, subprocess.CalledProcessError) as error:
            said = getattr(error, "stderr", None) or error
            self.app.display_warning(f"built without {SOURCE}, and so slower: {said}")
            library.unlink(missing_ok=True)  # it may be of an older source
            return False
        temporary.rename(library)
        return True


def _platform() -> str:
    """Return the tag of this kind of machine: where its C library is as new as this one's."""
    return sysconfig.get_platform().replace("-", "_").replace(".", "_")
