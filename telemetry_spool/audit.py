"""Audit an event: what in it is not as documented, and what looks personal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from enum import Enum
from typing import Any

from telemetry_spool.conformity import Path, deviations
from telemetry_spool.personal import NOBODY, Owner, traces
from telemetry_spool.schema import event_schema


class Kind(Enum):
    """How much a finding matters."""

    PERSONAL = "personal"
    """It looks like something that belongs to a person or a machine."""
    UNDOCUMENTED = "undocumented"
    """It is not as `event.schema.json` says: Flower is not known to send it."""
    OFF_PAGE = "off-page"
    """Flower sends it, and its telemetry pages do not mention it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something to know about one place in an event.

    `path` is `event_details.note`, `problem` goes on from there: "looks like an e-mail address".
    What looks personal is in `words` only.
    """

    path: str
    problem: str
    kind: Kind
    words: str = ""


def audit(event: object, owner: Owner = NOBODY) -> list[Finding]:
    """Return what there is to know about an event, which came from JSON: the worst comes first."""
    schema = event_schema()
    odd = dict(deviations(event, schema))

    def shown(path: Path) -> str:
        return ".".join("…" if traces(name, owner) else name for name in path)

    return [
        *(
            Finding(shown(path), problem, Kind.PERSONAL, words)
            for path, problem, words in _personal(event, owner, schema, odd.keys())
        ),
        *(Finding(shown(path), problem, Kind.UNDOCUMENTED) for path, problem in odd.items()),
        *(
            Finding(".".join(path), "is sent by Flower and on none of its pages", Kind.OFF_PAGE)
            for path in _off_page(event, schema, ())
        ),
    ]


def is_clean(findings: Iterable[Finding]) -> bool:
    """Tell whether an event is what Flower is known to send, and nothing in it looks personal."""
    return all(finding.kind is Kind.OFF_PAGE for finding in findings)


def _personal(
    event: object, owner: Owner, schema: Mapping[str, Any], odd: Set[Path]
) -> Iterator[tuple[Path, str, str]]:
    for path, text, is_key in _texts(event):
        part = _part(schema, path, odd)
        # What a pattern or a list allows is a random id, a date or one of Flower's own words.
        if part is not None and (is_key or "pattern" in part or "anyOf" in part):
            continue
        free = part is None or part.get("x-user-text", False)
        for trace in traces(text, owner, free=free):
            if is_key:
                yield path[:-1], f"has a key that looks like {trace.looks_like}", trace.words
            else:
                yield path, f"looks like {trace.looks_like}", trace.words


def _texts(event: object) -> Iterator[tuple[Path, str, bool]]:
    """Yield every string in a value with its path; of an object also the keys, by their own path.

    Goes its way without recursion: an event may be nested as deep as Python's stack.
    """
    waiting: list[tuple[Path, object]] = [((), event)]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, str):
            yield path, value, False
        elif isinstance(value, dict):
            for name in value:
                yield (*path, name), name, True
            waiting += [((*path, name), part) for name, part in reversed(value.items())]
        elif isinstance(value, list):
            waiting += [((*path, str(number)), part) for number, part in enumerate(value)][::-1]


def _part(schema: Mapping[str, Any], path: Path, odd: Set[Path]) -> Mapping[str, Any] | None:
    """Return the part of the schema that a value was found to keep to; None if there is none."""
    if any(path[:depth] in odd for depth in range(len(path) + 1)):
        return None
    part = schema
    for name in path:
        part = part["items"] if "items" in part else part["properties"][name]
    return part


def _off_page(value: object, schema: Mapping[str, Any], path: Path) -> Iterator[Path]:
    if schema.get("x-documented") is False:
        yield path
    if isinstance(value, dict):
        known = schema.get("properties", {})
        for name, part in value.items():
            if name in known:
                yield from _off_page(part, known[name], (*path, name))
