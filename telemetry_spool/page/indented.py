"""JSON with line breaks and indentation, and not a token of it changed.

Reading and writing it anew would lose what the exact content is about: `1.0` or `1.00`, a key that
comes twice, how a character is escaped. So this moves tokens apart, and changes none of them.
"""

from __future__ import annotations

import json
import re

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s"{}\[\],:]+', re.DOTALL)
_OPENING, _CLOSING = ("{", "["), ("}", "]")
_INDENT = "  "

# Beyond this depth or this many tokens, indentation would cost more room than the event itself.
_MAX_DEPTH = 40
_MAX_TOKENS = 20_000


def indented(text: str) -> str:
    """Return JSON in lines; what is no JSON, or is nested without end, is returned as it is."""
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return text
    tokens = _TOKEN.findall(text)
    if len(tokens) > _MAX_TOKENS:
        return text
    pieces: list[str] = []
    depth = 0
    for piece, following in zip(tokens, [*tokens[1:], ""], strict=True):
        if piece in _CLOSING:
            depth -= 1
            if pieces[-1] not in _OPENING:
                pieces.append(_line_break(depth))
        depth += piece in _OPENING
        if depth > _MAX_DEPTH:
            return text
        pieces.append(piece)
        if piece == "," or (piece in _OPENING and following not in _CLOSING):
            pieces.append(_line_break(depth))
        elif piece == ":":
            pieces.append(" ")
    return "".join(pieces)


def _line_break(depth: int) -> str:
    return "\n" + _INDENT * depth
