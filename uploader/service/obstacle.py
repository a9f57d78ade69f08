"""What stands in the way of a service."""

from __future__ import annotations


class Obstacle(Exception):
    """The service cannot be installed or does not run.

    The message is one line that names the remedy; `code` is an exit code of sysexits.h.
    """

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code
