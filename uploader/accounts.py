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
        if owner is not None and owner == os.geteuid():
            owner = None
        account = self._accounts.get(owner)
        if account is None:
            account = self._accounts[owner] = self._open(owner)
        return account

    def _open(self, owner: Owner) -> Account:
        config, losses = self._config, LossLedger(self._config.directories, owner)
        receipts = Receipts(
            config.directories, config.endpoint, keep_sent=config.keep_sent, owner=owner
        )
        return Account(receipts, DeadLetters(config.directories, owner, losses), losses)

    def flush(self, now: datetime) -> None:
        """Write down every receipt that waits."""
        for account in self._accounts.values():
            account.receipts.flush(now)
