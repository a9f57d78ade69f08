"""Consent: what may be recorded and what may leave the machine. The most private answer wins."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Mapping
from enum import Enum
from pathlib import Path
from typing import NamedTuple

from telemetry_spool import paths, policy
from telemetry_spool.settings import SettingError, Source
from telemetry_spool.writer_settings import WRITER_SETTINGS


class Mode(Enum):
    """What the person who owns this machine allows."""

    ON = "on"
    """Events are spooled and uploaded."""
    LOCAL = "local"
    """Events are spooled and never uploaded."""
    OFF = "off"
    """Nothing is recorded and nothing is sent."""


class Consent(NamedTuple):
    """A mode and the rule that decided it, in words for a person.

    `releases` tells whether in mode `local` the user may let single events be sent.
    """

    mode: Mode
    rule: str
    releases: bool = True


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


def by_policy(source: Source) -> Consent:
    """Return the most that a site policy allows. Raises SettingError if it has a bad key or value.

    A policy that sets no mode allows everything; under one of `local` nothing leaves.
    """
    policy.check(source, WRITER_SETTINGS)
    mode = Mode(source.values.get(policy.MODE.name, policy.MODE.default))
    return Consent(mode, f"{source.label} allows at most {mode.value}", releases=False)


_PRIVACY = (Mode.ON, Mode.LOCAL, Mode.OFF)


def most_private(policy_allows: Consent, chosen: Consent) -> Consent:
    """Return the more private of two answers; of two that are equally private, the policy's.

    A policy that allows everything decides nothing.
    """
    if policy_allows.mode is Mode.ON:
        return chosen
    order = _PRIVACY.index
    return chosen if order(chosen.mode) > order(policy_allows.mode) else policy_allows


class _Policy(NamedTuple):
    """A site policy that could be understood, and the stamp its file had just before."""

    stamp: policy.Stamp
    source: Source
    allows: Consent


_NO_POLICY = _Policy(None, policy.ABSENT, Consent(Mode.ON, "there is no site policy"))


def _read_policy(stamp: policy.Stamp) -> _Policy:
    if stamp is None:
        return _NO_POLICY
    source = policy.read()
    return _Policy(stamp, source, by_policy(source))


# For how long "no such file" is taken from a call that cannot say why there is none.
_TRUST_SECONDS = 1.0

# As the files are read: with the effective user, where the system can tell.
_AS_OPENED = os.access in os.supports_effective_ids


class ConsentReader:
    """Reads consent again and again, for some 2 µs where nothing was demanded or chosen.

    A file that appears is seen by the next question. That the way to a file that is not there has
    become closed, which means off, is seen within a second.
    """

    def __init__(
        self,
        mode_file: Path | None,
        environ: Mapping[str, str] = os.environ,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the environment as it is now, as Flower does; files are looked at each time."""
        self._clock = clock
        self._absent_until = -math.inf
        self._mode_file = str(mode_file) if mode_file else ""
        self._policy_file = str(paths.POLICY_FILE)
        self._demanded = by_environment(environ)
        # In one: another thread may read the policy at the same time, and see a newer one.
        self._policy = _NO_POLICY

    @property
    def policy(self) -> Source:
        """What the site policy said when it could be understood last."""
        return self._policy.source

    def now(self) -> Consent:
        """Return the consent of this moment. A file that cannot be read or understood means off."""
        if self._demanded is not None:
            return self._demanded
        # An exception for each file that is not there would be half the cost of the question.
        if (
            self._clock() < self._absent_until
            and not os.access(self._policy_file, os.F_OK, effective_ids=_AS_OPENED)
            and not os.access(self._mode_file, os.F_OK, effective_ids=_AS_OPENED)
        ):
            return _DEFAULT
        self._absent_until = -math.inf
        began = self._clock()
        consent = self._look()
        if consent is _DEFAULT and self._policy is _NO_POLICY:
            self._absent_until = began + _TRUST_SECONDS
        return consent

    def _look(self) -> Consent:
        try:
            stamp = policy.stamp(self._policy_file)
            if stamp != self._policy.stamp:
                self._policy = _read_policy(stamp)
        except SettingError as error:
            return Consent(Mode.OFF, str(error))
        except OSError as error:
            return Consent(Mode.OFF, f"{policy.label()} cannot be read: {error.strerror}")
        return most_private(self._policy.allows, self._choice())

    def _choice(self) -> Consent:
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
