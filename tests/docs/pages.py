"""Make the pages that state what the code states: `python -m tests.docs.pages` writes them."""

from __future__ import annotations

from pathlib import Path

from tests.docs.commands import commands_page
from tests.docs.privacy import privacy_page
from tests.faults.table import GROUPS, tested_faults
from uploader.options import shown
from uploader.settings import ALL_SETTINGS, FLAG_SETTINGS

DOCS = Path(__file__).parents[2] / "docs"

_SETTINGS_HEAD = """\
# Settings

Made from the code by `python -m tests.docs.pages`; a test compares.

A setting has one name everywhere: `endpoint` in a settings file, `FLWR_TELEMETRY_ENDPOINT` in the
environment, `--endpoint` on the command line of `telemetry-uploader`. A flag wins over the
environment, the environment over the user's file (Linux: `~/.config/flwr-telemetry/config.toml`),
that over the site's (`/etc/xdg/flwr-telemetry/config.toml`), that over the default; the site policy
wins over all of them. A variable set to nothing counts as unset. `telemetry-uploader check` shows
every setting in force and where it comes from; for a wrong one it says in one line where it is and
what is allowed, and exits with 78. A Flower process passes a wrong setting by and uses the default.

```toml
# config.toml
endpoint = "https://telemetry.example.org/api/v1/event"
max_spool_bytes = "256MiB"
```

| setting | what it is | default | allowed | why this default |
|---|---|---|---|---|
"""

_SETTINGS_TAIL = """
## Site policy

An administrator decides for every user of a machine in `/etc/flwr-telemetry/policy.toml` (macOS:
`/Library/Application Support/flwr-telemetry/policy.toml`):

```toml
# policy.toml
mode = "on"                    # at most: users may still choose local or off
endpoint = "https://telemetry.example.org/api/v1/event"
proxy = "http://proxy.example.org:3128"
ca_bundle = "/etc/ssl/certs/site.pem"
```

`mode` is `on`, `local` or `off`: the most that anybody may choose. Any setting in it wins over
flag, environment and files, and `telemetry-uploader check` names the policy as its origin. It takes
effect in running processes from their next event or request on. The file must belong to root and be
writable by nobody else (`chmod 644`): every user's processes read it, so a password of a proxy
belongs into the environment of the service instead. While it cannot be read, or has an unknown key
or a bad value, nothing is recorded and the commands of `telemetry-uploader` end with 78.

## Only in the environment

As in Flower itself: `FLWR_TELEMETRY_ENABLED`, `FLWR_TELEMETRY_LOGGING`,
`FLWR_TELEMETRY_PARTNER_ID`, `FLWR_HOME`; besides, `DO_NOT_TRACK`, and `FLWR_TELEMETRY_SPOOL=0`,
which leaves Flower as it is.
"""


def settings_page() -> str:
    """Return `docs/settings.md`."""
    rows = ""
    for setting in ALL_SETTINGS:
        flag = "" if setting in FLAG_SETTINGS else " (no flag)"
        default = "" if setting.default is None else f"`{shown(setting.default)}`"
        rows += (
            f"| `{setting.name}`{flag} | {setting.summary} | {default} | {setting.allowed} "
            f"| {setting.why} |\n"
        )
    return _SETTINGS_HEAD + rows + _SETTINGS_TAIL


_RELIABILITY_HEAD = """\
# What can go wrong, and what happens then

Made from the tests by `python -m tests.docs.pages`; a test compares. Each row is a fault that the
named test in `tests/faults/` brings about with real processes, files and sockets, and one event in
each request. What differs with batches is in [scale.md](scale.md#what-an-answer-means-for-a-batch),
and tested in `tests/e2e/test_batches.py`.
"""


def reliability_page() -> str:
    """Return `docs/reliability.md`."""
    page = _RELIABILITY_HEAD
    tested = tested_faults()
    for group, title in GROUPS.items():
        page += f"\n## {title}\n\n| what goes wrong | what happens | test |\n|---|---|---|\n"
        for fault, test in sorted(tested.items()):
            if fault.group == group:
                page += f"| {fault.what} | {fault.then} | `{test}` |\n"
    return page


PAGES = {
    "settings.md": settings_page,
    "reliability.md": reliability_page,
    "privacy.md": privacy_page,
    "commands.md": commands_page,
}


if __name__ == "__main__":
    for name, page in PAGES.items():
        (DOCS / name).write_text(page(), encoding="utf-8")
