"""Text for people."""

from __future__ import annotations


def plain(text: str) -> str:
    """Replace what could steer a terminal or begin a new line."""
    return "".join(
        character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text
    )
