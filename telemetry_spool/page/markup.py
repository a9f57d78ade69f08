"""HTML that cannot be forgotten to escape: text is `str`, HTML is `Markup`, and only this makes it.

What events contain is hostile. A `str` given to `tag` is always text; the only ways to have HTML
are `tag` itself and `inline`, for the two files of this package. mypy tells them apart.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias


@dataclass(frozen=True, slots=True)
class Markup:
    """HTML that is safe to write. Made by `tag`, `inline` and `join` only."""

    html: str


Content: TypeAlias = "str | Markup | Iterable[Content] | None"

_VOID = frozenset(("br", "col", "hr", "input", "link", "meta"))
_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9-]*")

# Controls, direction marks, what has no width, what cannot be encoded, and tags that nobody sees.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\ufeff\ufff9-\ufffb\ufffe\uffff\ud800-\udfff\U000e0000-\U000e007f]"
)
_ESCAPED_BYTES = range(0xDC80, 0xDD00)


def visible(text: str) -> str:
    """Replace what cannot be seen, or moves what can, by its code: ⟨U+202E⟩, ⟨0xFF⟩ for a byte."""
    return _UNSEEN.sub(_code, text)


def _code(match: re.Match[str]) -> str:
    point = ord(match[0])
    if point in _ESCAPED_BYTES:  # a byte that is no UTF-8, as Python's surrogateescape keeps it
        return f"⟨0x{point - 0xDC00:02X}⟩"
    return f"⟨U+{point:04X}⟩"


def tag(name: str, /, *content: Content, **attributes: str | bool | None) -> Markup:
    """Return an element. `class_` is written `class`, `data_state` is written `data-state`.

    An attribute of True has no value; one of None or False is left out. Raises ValueError for what
    the page's policy would block anyway: `style`, handlers of events, addresses that run.
    """
    if not _NAME.fullmatch(name) or name in ("script", "style"):
        raise ValueError(f"not an element for content: {name!r}")
    opening = "".join(_attribute(key, value) for key, value in attributes.items())
    if name in _VOID:
        return Markup(f"<{name}{opening}>")
    return Markup(f"<{name}{opening}>{join(*content).html}</{name}>")


def _attribute(key: str, value: str | bool | None) -> str:
    name = key.rstrip("_").replace("_", "-")
    if not _NAME.fullmatch(name) or name.startswith("on") or name in ("style", "src", "srcdoc"):
        raise ValueError(f"not an attribute for a page: {name!r}")
    if value is None or value is False:
        return ""
    if value is True:
        return f" {name}"
    if name == "href" and not value.startswith(("#", "https://")):
        raise ValueError(f"not an address for a page: {value!r}")
    return f' {name}="{html.escape(visible(value))}"'


def join(*content: Content) -> Markup:
    """Return content as one piece of HTML; every `str` in it is text."""
    return Markup("".join(_pieces(content)))


def _pieces(content: Iterable[Content]) -> Iterable[str]:
    for part in content:
        if isinstance(part, Markup):
            yield part.html
        elif isinstance(part, str):
            yield html.escape(visible(part))
        elif part is not None:
            yield from _pieces(part)


def inline(name: Literal["script", "style"], source: str) -> Markup:
    """Return a script or a style sheet of this package. Raises ValueError if it would end early."""
    if f"</{name}" in source.lower() or "<!--" in source:
        raise ValueError(f"the source of this {name} cannot be put into a page")
    return Markup(f"<{name}>{source}</{name}>")
