"""The directories and files of this project, by default and as chosen. Nothing here creates any."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

# Not when they are needed: a signal handler that interrupts an import finds half a module.
import platformdirs

APPLICATION = "flwr-telemetry"

POLICY_FILE = Path(
    "/Library/Application Support/flwr-telemetry/policy.toml"
    if sys.platform == "darwin"
    else "/etc/flwr-telemetry/policy.toml"
)
"""The site policy. No variable moves it: it is the administrator's word against the user's."""

DROP_BOX = Path("/var/spool", APPLICATION)
"""The spool of all users of a machine, where a service is installed: it belongs to the service."""
SERVICE_ROOT = Path("/var/lib", APPLICATION)
"""The root of that service."""

NOWHERE = Path("/dev/null/no-home-directory")
"""The root where none can be determined: it cannot exist, and the error names the reason."""


class Directories(NamedTuple):
    """Where everything is. `root` has it all; `spool` can be elsewhere (a drop box)."""

    root: Path
    spool: Path

    @property
    def rejected(self) -> Path:
        """Dead letters, a file a day."""
        return self.root / "rejected"

    @property
    def receipts(self) -> Path:
        """What left this machine and what was lost, a file a day."""
        return self.root / "receipts"

    @property
    def status(self) -> Path:
        """The uploader's heartbeat."""
        return self.root / "status.json"

    @property
    def page(self) -> Path:
        """The page that `view` writes."""
        return self.root / "page" / "telemetry.html"

    @property
    def uploader_lock(self) -> Path:
        """Held by the one uploader of a private spool."""
        return self.spool / "uploader.lock"

    @property
    def service_lock(self) -> Path:
        """Held by the one uploader of a shared spool: in there anybody could hold it."""
        return self.root / "uploader.lock"

    @property
    def progress(self) -> Path:
        """Progress files of a shared spool: in there anybody could forge them."""
        return self.root / "progress"

    @property
    def heard_of(self) -> Path:
        """The heartbeat of the uploader that sends from this spool: the service's, if it does."""
        served = self.spool == DROP_BOX and self.root != SERVICE_ROOT
        return SERVICE_ROOT / self.status.name if served else self.status


def default_root() -> Path | None:
    """Return the platform's state directory of this user; None where there is no home."""
    return _with_home(platformdirs.user_state_path)


def user_config_directory() -> Path | None:
    """Return the directory of this user's `config.toml` and `mode`; None without a home."""
    return _with_home(platformdirs.user_config_path)


def _with_home(platform_path: Callable[[str], Path]) -> Path | None:
    try:
        directory = platform_path(APPLICATION)
    except RuntimeError:
        return None  # newer platformdirs; older ones return a path that begins with "~"
    return directory if directory.is_absolute() else None


def config_files() -> list[Path]:
    """Return the settings files, the user's before the site's, whether or not they exist."""
    directories = (user_config_directory(), platformdirs.site_config_path(APPLICATION))
    return [directory / "config.toml" for directory in directories if directory]


def mode_file() -> Path | None:
    """Return the file with the user's choice of mode; None without a home."""
    directory = user_config_directory()
    return directory / "mode" if directory else None
