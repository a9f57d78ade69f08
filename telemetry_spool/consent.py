"""Consent: what may be recorded and what may leave the machine. The most private answer wins."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path


class Mode(Enum):
    """What the person who owns this machine allows."""

    ON = "on"
    """Events are spooled and uploaded."""
    LOCAL = "local"
    """Events are spooled and never uploaded."""
    OFF = "off"
    """Nothing is recorded and nothing is sent."""


@dataclass(frozen=True, slots=True)
class Consent:
    """A mode and the rule that decided it, in words for a person."""

    mode: Mode
    rule: str


# The mode file holds one short word; more than this is not a mode file.
_MODE_FILE_BYTES = 64

_DISABLED = Consent(Mode.OFF, "FLWR_TELEMETRY_ENABLED is set to something other than 1")
_DO_NOT_TRACK = Consent(Mode.OFF, "DO_NOT_TRACK is set")
_DEFAULT = Consent(Mode.ON, "default: nothing was chosen")
_CHOSEN = {mode.value: Consent(mode, f"chosen with telemetry-spool {mode.value}") for mode in Mode}


def by_environment(environ: Mapping[str, str]) -> Consent | None:
    """Return what the environment demands; it can only forbid. None: it demands nothing."""
    if environ.get("FLWR_TELEMETRY_ENABLED", "1") != "1":
        return _DISABLED
    if environ.get("DO_NOT_TRACK", "").strip().lower() not in ("", "0", "false"):
        return _DO_NOT_TRACK
    return None


def by_choice(text: str | None) -> Consent:
    """Return what the text of the mode file means; None: there is no such file.

    A text that is no mode means off: somebody decided something, and the safe reading of it is the
    private one.
    """
    if text is None:
        return _DEFAULT
    return _CHOSEN.get(text.strip()) or Consent(
        Mode.OFF, f"the mode file says {text.strip()[:20]!r}, which is none of on, local, off"
    )


class ConsentReader:
    """Reads consent again and again, for some 2 µs where nothing was chosen."""

    def __init__(self, mode_file: Path | None, environ: Mapping[str, str] = os.environ) -> None:
        """Take the environment as it is now, as Flower does; the mode file is read each time."""
        self._mode_file = str(mode_file) if mode_file else ""
        self._demanded = by_environment(environ)

    def now(self) -> Consent:
        """Return the consent of this moment. A mode file that cannot be read means off."""
        if self._demanded is not None:
            return self._demanded
        try:
            os.stat(self._mode_file)  # half the cost of an open that fails
        except (FileNotFoundError, NotADirectoryError):
            return _DEFAULT
        except OSError as error:
            return self._unreadable(error)
        found = self._read()
        if isinstance(found, OSError):
            return self._unreadable(found)
        return by_choice(found)

    def _unreadable(self, error: OSError) -> Consent:
        return Consent(Mode.OFF, f"{self._mode_file} cannot be read: {error.strerror}")

    def _read(self) -> str | OSError | None:
        try:
            descriptor = os.open(self._mode_file, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            return error
        try:
            return os.read(descriptor, _MODE_FILE_BYTES).decode("utf-8", "replace")
        except OSError as error:
            return error
        finally:
            os.close(descriptor)


def choose(mode_file: Path, mode: Mode) -> None:
    """Write the mode file, atomically, so that a running process reads the old or the new word.

    Raises OSError if the configuration directory cannot be written.
    """
    mode_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = mode_file.with_name(f"mode.{os.getpid()}.tmp")
    temporary.write_text(mode.value + "\n", encoding="utf-8")
    temporary.replace(mode_file)
