"""Gather what this machine knows of the events that bundles brought: receipts and dead letters."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from telemetry_spool.bundle import answers
from telemetry_spool.bundle.answers import Answer
from telemetry_spool.bundle.arriving import Arrival, arrivals, finish
from telemetry_spool.bundle.files import CarryError, alone, publishing
from telemetry_spool.bundle.names import Places
from telemetry_spool.bundle.records import id_of_letter, records
from telemetry_spool.ledger import receipts_journal
from telemetry_spool.letters import dead_letter_journal

# What an endpoint says is cut to a KiB when it is written down; text of ours is shorter.
_TEXT = 2000


@dataclass(frozen=True, slots=True)
class Answered:
    """How many events of imported bundles are accepted, rejected, and not known to be either."""

    bundles: int
    accepted: int
    rejected: int
    waiting: int


def answer(places: Places, file: Path, beginning: str, *, now: Callable[[], datetime]) -> Answered:
    """Write receipts for the bundles whose id begins so to `file`.

    Raises CarryError if there is no such bundle or the file exists, OSError.
    """
    if not places.imported.exists():
        raise _no_bundle(beginning)
    with alone(places):
        finish(places)
        found = [arrival for arrival in arrivals(places) if arrival.id.startswith(beginning)]
        if not found:
            raise _no_bundle(beginning)
        bundles = _bundles_by_event(found)
        asked = sum(map(len, bundles.values()))
        counts = {True: 0, False: 0}

        def counted() -> Iterator[Answer]:
            for said in _answers(places, bundles):
                counts[said.accepted] += 1
                yield said

        with publishing(file, file.with_name(f".{file.name}.tmp")) as target:
            answers.write(target, counted(), now().isoformat())
    return Answered(len(found), counts[True], counts[False], asked - counts[True] - counts[False])


def _no_bundle(beginning: str) -> CarryError:
    what = f"no bundle whose id begins with {beginning!r}" if beginning else "no bundle"
    return CarryError(f"{what} has been imported here: telemetry-spool import FILE", 1)


def _bundles_by_event(found: list[Arrival]) -> dict[str, list[str]]:
    bundles: dict[str, list[str]] = {}
    for arrival in found:
        for event in set(arrival.event_ids()):
            bundles.setdefault(event, []).append(arrival.id)
    return bundles


def _answers(places: Places, bundles: dict[str, list[str]]) -> Iterator[Answer]:
    """Yield each event's answer, once for every bundle that brought it; accepted ones first."""
    for record in records(receipts_journal(places.directories)):
        event = record.get("id")
        if isinstance(event, str):
            for bundle in bundles.pop(event, ()):
                at, endpoint = _text(record.get("sent_at")), _text(record.get("endpoint"))
                yield Answer(bundle, event, accepted=True, at=at, endpoint=endpoint)
    for letter in records(dead_letter_journal(places.directories)):
        event = id_of_letter(letter)
        for bundle in bundles.pop(event, ()):
            yield _rejection(bundle, event, letter)


def _rejection(bundle: str, event: str, letter: dict[str, Any]) -> Answer:
    status, response = letter.get("status"), letter.get("response")
    return Answer(
        bundle,
        event,
        accepted=False,
        at=_text(letter.get("rejected_at")),
        reason=_text(letter.get("reason")),
        status=status if isinstance(status, int) else None,
        response=None if response is None else _text(response),
    )


def _text(value: object) -> str:
    return value[:_TEXT] if isinstance(value, str) else ""
