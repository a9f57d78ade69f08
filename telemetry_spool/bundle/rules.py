"""What may be carried at all: the most private answer wins here, too."""

from __future__ import annotations

import os

from telemetry_spool.bundle.files import CarryError
from telemetry_spool.bundle.names import Places
from telemetry_spool.consent import Consent, Mode
from telemetry_spool.dropbox import is_shared


def check_export(consent: Consent, *, include_local: bool) -> None:
    """Raise CarryError if nothing may leave this machine.

    `include_local` is a person's word for what is recorded in mode `local`; against `off` there is
    no such word.
    """
    if consent.mode is Mode.OFF:
        raise CarryError(
            f"the mode is off ({consent.rule}): nothing leaves this machine", os.EX_NOPERM
        )
    if consent.mode is Mode.LOCAL and not consent.releases:
        raise CarryError(
            f"the mode is local ({consent.rule}): nothing leaves this machine", os.EX_NOPERM
        )
    if consent.mode is Mode.LOCAL and not include_local:
        raise CarryError(
            f"the mode is local ({consent.rule}): nothing leaves this machine unless you add "
            "--include-local",
            os.EX_NOPERM,
        )


def check_import(consent: Consent) -> None:
    """Raise CarryError if this machine may not send what it would take in."""
    if consent.mode is not Mode.ON:
        raise CarryError(
            f"the mode is {consent.mode.value} ({consent.rule}): this machine may not send what a "
            "bundle brings; telemetry-spool on, or import it elsewhere",
            os.EX_NOPERM,
        )


def check_own(places: Places) -> None:
    """Raise CarryError if the spool is not this user's alone: its files are not theirs to move."""
    if is_shared(str(places.spool)):
        raise CarryError(
            f"{places.spool} belongs to another user or is shared with others: set "
            "FLWR_TELEMETRY_DIR to a directory of your own, here and for its uploader",
            os.EX_NOPERM,
        )
