"""The records of each owner of events: nobody can push out another's with a flood of their own."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime

from telemetry_spool.ledger import LossLedger
from uploader.config import UploaderConfig
from uploader.gates import Owner
from uploader.records import DeadLetters, Receipts


@dataclass(frozen=True, slots=True)
class Account:
    """Where the events of one owner are written down."""

    receipts: Receipts
    dead_letters: DeadLetters
    losses: LossLedger


class Accounts:
    """One for each owner; our own events share one, whether the spool is private or not."""

    def __init__(self, config: UploaderConfig) -> None:
        """Keep the accounts in the configured root."""
        self._config = config
        self._accounts: dict[Owner, Account] = {}

    def of(self, owner: Owner) -> Account:
        """Return the account of an owner."""
        key = None if owner == os.geteuid() else owner
        if key not in self._accounts:
            directories = self._config.directories
            losses = LossLedger(directories, key)
            self._accounts[key] = Account(
                Receipts(
                    directories, self._config.endpoint, keep_sent=self._config.keep_sent, owner=key
                ),
                DeadLetters(directories, key, losses),
                losses,
            )
        return self._accounts[key]

    def flush(self, now: datetime) -> None:
        """Write down every receipt that waits."""
        for account in self._accounts.values():
            account.receipts.flush(now)
