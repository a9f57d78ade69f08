"""What failures mean whichever library meets them."""

from __future__ import annotations

import re

from uploader.outcome import Trouble

# A URL that cannot be parsed is in a library's words as it is, with what stands before its host.
_LOGIN = re.compile(r"//\S*@")


def without_login(words: str) -> str:
    """Return a library's words without the user and the password of a URL in them."""
    return _LOGIN.sub("//…@", words)


def no_tunnel(status: int | None) -> Trouble:
    """Return what a proxy means by the status that it answers CONNECT with, if it has one."""
    match status:
        case 401 | 407:
            return Trouble.PROXY_CREDENTIALS
        case 403 | 404 | 405:
            return Trouble.PROXY_REFUSAL
        case _:
            return Trouble.NETWORK
