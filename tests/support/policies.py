"""A site policy of a test's own at its real path, in private mount namespaces; it takes root."""

from __future__ import annotations

import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

from telemetry_spool.paths import POLICY_FILE

# The mount point need not be there, and must not be made on this machine: so it is made in an
# overlay. Every process has a namespace of its own, and all of them see the same directory.
_ENTER = f"""\
mount -t tmpfs tmpfs "$1/overlay" &&
mkdir "$1/overlay/upper" "$1/overlay/work" &&
mount -t overlay overlay \
    -o "lowerdir=/etc,upperdir=$1/overlay/upper,workdir=$1/overlay/work" /etc &&
mkdir -p {POLICY_FILE.parent} &&
mount --bind "$1/policy" {POLICY_FILE.parent} || exit 125
shift
exec "$@"
"""


class SitePolicy:
    """The policy of the processes that are started with `prefix`; absent until it is written."""

    def __init__(self, root: Path) -> None:
        """Keep it in `root`, a new directory."""
        self._root = root
        self.file = root / "policy" / POLICY_FILE.name
        for directory in (root, root / "policy", root / "overlay"):
            directory.mkdir(mode=0o755)

    @property
    def prefix(self) -> tuple[str, ...]:
        """The command that becomes another one in a namespace with this policy."""
        return ("unshare", "--mount", "sh", "-c", _ENTER, "sh", str(self._root))

    def say(self, *lines: str) -> None:
        """Put a policy of these lines in place, as an administrator's editor does."""
        draft = self.file.with_suffix(".new")
        draft.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        draft.chmod(0o644)
        draft.replace(self.file)

    def withdraw(self) -> None:
        """Take the policy away."""
        self.file.unlink()


@cache
def why_no_policies(scratch: Path) -> str | None:
    """Say why this machine cannot have a policy for some processes only; None if it can."""
    if not sys.platform.startswith("linux") or shutil.which("unshare") is None:
        return "a policy for some processes only takes Linux and unshare"
    prefix = SitePolicy(scratch / "probe").prefix
    done = subprocess.run([*prefix, "true"], check=False, capture_output=True, text=True)
    return None if done.returncode == 0 else f"mounts are not permitted: {done.stderr.strip()}"
