"""Which segments may be sent with which consent."""

from __future__ import annotations

from telemetry_spool.consent import Consent, Mode
from telemetry_spool.paths import Kind

SENDABLE = frozenset({Kind.SEALED, Kind.RELEASED})
"""The segments that may be sent where the mode is `on`."""

_SENDABLE = {Mode.ON: SENDABLE, Mode.LOCAL: frozenset({Kind.RELEASED}), Mode.OFF: frozenset()}


def sendable_in(mode: Mode) -> frozenset[Kind]:
    """Return the kinds of segments that may be sent in a mode that was chosen."""
    return _SENDABLE[mode]


def sendable_with(consent: Consent) -> frozenset[Kind]:
    """Return the kinds of segments that may be sent with this consent."""
    if consent.mode is Mode.LOCAL and not consent.releases:
        return frozenset()
    return sendable_in(consent.mode)
