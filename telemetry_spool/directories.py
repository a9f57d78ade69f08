"""The directories and files of this project, by default and as chosen. Nothing here creates any."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import NamedTuple

APPLICATION = "flwr-telemetry"

_LINUX = sys.platform == "linux"

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
    return _plain("XDG_STATE_HOME", ".local/state") or _of_user("user_state_path")


def user_config_directory() -> Path | None:
    """Return the directory of this user's `config.toml` and `mode`; None without a home."""
    return _plain("XDG_CONFIG_HOME", ".config") or _of_user("user_config_path")


def _plain(variable: str, below_home: str) -> Path | None:
    """Return what `platformdirs` says where variables alone decide; None if it has to be asked.

    Loading it would be a fifth of what this package costs a process of Flower's.
    """
    chosen, home = os.environ.get(variable, ""), os.environ.get("HOME", "")
    if _LINUX and chosen.startswith("/"):
        return Path(chosen, APPLICATION)
    if _LINUX and home.startswith("/") and not chosen.strip():
        return Path(home, below_home, APPLICATION)
    return None


def _of_user(platform_path: str) -> Path | None:
    try:
        directory = _platform(platform_path)
    except RuntimeError:
        return None  # newer platformdirs; older ones return a path that begins with "~"
    return directory if directory.is_absolute() else None


def _platform(platform_path: str) -> Path:
    import platformdirs

    path: Path = getattr(platformdirs, platform_path)(APPLICATION)
    return path


def config_files() -> list[Path]:
    """Return the settings files, the user's before the site's, whether or not they exist."""
    directories = (user_config_directory(), _of_site())
    return [directory / "config.toml" for directory in directories if directory]


def _of_site() -> Path:
    if _LINUX and not os.environ.get("XDG_CONFIG_DIRS"):
        return Path("/etc/xdg", APPLICATION)
    return _platform("site_config_path")


def mode_file() -> Path | None:
    """Return the file with the user's choice of mode; None without a home."""
    directory = user_config_directory()
    return directory / "mode" if directory else None


# What has to be asked is loaded now, not with the first event: a signal handler that interrupts an
# import finds half a module, and a child that is forked meanwhile waits for its end for ever.
default_root()
config_files()
