"""Where no service manager runs, as in most containers."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.support.processes import UPLOADER, command

if sys.platform == "darwin" or Path("/run/systemd/system").is_dir():
    pytest.skip("a service manager runs here", allow_module_level=True)


@pytest.mark.parametrize("verb", ["install", "uninstall"])
def test_without_systemd_the_line_names_what_to_do_instead(verb: str) -> None:
    """Exit code 69, and no traceback."""
    done = command(UPLOADER, verb, environ={})

    assert done.code == 69
    assert "telemetry-uploader run" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_dry_run_needs_no_manager() -> None:
    """What would be done can be read anywhere."""
    done = command(UPLOADER, "install", "--dry-run", environ={})

    assert done.code == 0
    assert "/systemd/user/flwr-telemetry-uploader.service\n" in done.stdout
