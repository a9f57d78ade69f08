"""Small bar charts in text."""

from __future__ import annotations

from collections.abc import Mapping

from telemetry_spool.text import plain

_LONGEST_LABEL = 32
_BLOCK, _ASCII_BLOCK = "█", "#"


def bars(counts: Mapping[str, int], width: int, *, ascii_only: bool) -> list[str]:
    """Return a row for each count: label, number, and a bar as long as the number is large.

    No row is wider than `width` columns, which must be 20 at least; labels are cut for that.
    """
    if not counts:
        return []
    most = max(counts.values())
    figures = max(len(f"{count:,}") for count in counts.values())
    longest = max(len(label) for label in counts)
    label_width = min(longest, _LONGEST_LABEL, max(4, (width - figures) // 2))
    room = max(0, width - label_width - figures - 6)
    block = _ASCII_BLOCK if ascii_only else _BLOCK
    return [
        f"  {_cut(plain(label), label_width)}  {count:>{figures},}  "
        f"{block * _length(count, most, room)}".rstrip()
        for label, count in counts.items()
    ]


def _cut(label: str, width: int) -> str:
    return f"{label[: width - 1]}~" if len(label) > width else f"{label:<{width}}"


def _length(count: int, most: int, room: int) -> int:
    """Return the length of a bar: something is never nothing."""
    return max(1, round(room * count / most)) if count and room else 0
