"""What goes wrong, as a person gets to see it: one line on stderr, and an exit code."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from telemetry_spool.settings import SettingError
from uploader.logs import prefix


def complain(message: str) -> None:
    """Say something in one line on stderr."""
    sys.stderr.write(f"{prefix(logging.ERROR)}telemetry-uploader: {message}\n")


def fail(message: str, code: int) -> NoReturn:
    """Say what is wrong, and end with one of the exit codes of sysexits.h."""
    complain(message)
    sys.exit(code)


@contextmanager
def told_in_one_line() -> Iterator[None]:
    """Let what a person can mend end the process in one line and an exit code."""
    try:
        yield
    except SettingError as error:
        fail(str(error), os.EX_CONFIG)
    except OSError as error:
        fail(f"{error.filename or ''}: {error.strerror or error}".lstrip(": "), os.EX_CANTCREAT)
