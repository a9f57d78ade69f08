"""Find addresses, keys and tokens in a text by their form.

Every repetition in these patterns is bounded, or begins only where none can be under way: a text of
a megabyte takes a moment, whatever is in it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from ipaddress import AddressValueError, IPv4Address, IPv6Address

_EMAIL = re.compile(
    r"(?<![\w.+-])[\w.+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}(?![\w-])"
)
_IPV4 = re.compile(r"(?<![\w.-])(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?![\w-]|\.[0-9])")
_IPV6 = re.compile(r"(?<![\w:.])[0-9A-Fa-f:]{2,39}(?:\.[0-9]{1,3}){0,3}(?![\w:])")
_MAC = re.compile(
    r"(?<![\w:.-])(?:[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){5}"
    r"|(?=[0-9-]{0,17}[A-Fa-f])[0-9A-Fa-f]{2}(?:-[0-9A-Fa-f]{2}){5}"
    r"|(?=[0-9.]{0,14}[A-Fa-f])[0-9A-Fa-f]{4}(?:\.[0-9A-Fa-f]{4}){2})(?![\w:-])"
)

# `12::30` and `a::b` are more often something else: a time, a name in a program.
_DIGITS_OF_IPV6 = 5
_COLONS_OF_IPV6 = 2


def emails(text: str) -> Iterator[str]:
    """Yield what has the form of an e-mail address."""
    return matches(_EMAIL, text)


def ip_addresses(text: str) -> Iterator[str]:
    """Yield the IP addresses in a text that could be those of a machine on a network."""
    for each in matches(_IPV6, text):
        digits = sum(map(str.isalnum, each))
        telling = digits >= _DIGITS_OF_IPV6 and any(map(str.isdigit, each))
        colons = each.count(":") >= _COLONS_OF_IPV6
        if telling and colons and _is_address(each, IPv6Address):
            yield each
    yield from (each for each in matches(_IPV4, text) if _is_address(each, IPv4Address))


def _is_address(text: str, kind: Callable[[str], IPv4Address | IPv6Address]) -> bool:
    try:
        address = kind(text)
    except AddressValueError:
        return False
    return not (address.is_loopback or address.is_unspecified)


def mac_addresses(text: str, own: frozenset[str]) -> Iterator[str]:
    """Yield the MAC addresses in a text; `own`, twelve hex digits each, without separators too."""
    yield from matches(_MAC, text)
    lower = text.lower()
    for mac in sorted(own):
        if mac in lower and re.search(rf"(?<![0-9a-z]){mac}(?![0-9a-z])", lower):
            yield mac  # as in a UUID of version 1


_SECRET = re.compile(
    r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----"
    r"|(?<![A-Za-z0-9])(?:gh[pousr]_[A-Za-z0-9]{20,255}|github_pat_\w{20,255}"
    r"|glpat-[\w-]{16,64}|sk-[\w-]{16,255}|hf_[A-Za-z0-9]{16,64}|npm_[A-Za-z0-9]{20,64}"
    r"|pypi-[\w-]{16,255}|(?:AKIA|ASIA)[A-Z0-9]{16}|xox[abeoprs]-[\w-]{10,255}"
    r"|AIza[\w-]{30,64}|eyJ[\w-]{8,2000}\.eyJ[\w-]{8,2000})"
    r"|(?<![A-Za-z0-9])[a-z][a-z0-9+.-]{1,15}://[^/\s:@]{1,100}:[^/\s:@]{1,100}@"
)
_DIGEST = re.compile(r"(?<![\w-])[0-9a-fA-F]{32,}(?![\w-])")
_RANDOM = re.compile(r"(?<![A-Za-z0-9+/=_-])[A-Za-z0-9+/_-]{20,}={0,2}(?![A-Za-z0-9])")
_CHANGE = re.compile(r"(?<=[a-z])(?=[A-Z0-9])|(?<=[A-Z])(?=[a-z0-9])|(?<=[0-9])(?=[A-Za-z])")


def secrets(text: str) -> Iterator[str]:
    """Yield what has the form of a key, a token or a password in a URL."""
    yield from matches(_SECRET, text)
    yield from (each for each in matches(_DIGEST, text) if not each.isdigit())
    yield from (each for each in matches(_RANDOM, text) if _looks_random(each))


def _looks_random(text: str) -> bool:
    """Tell chance from words: between letters and digits, high and low, it changes all the time."""
    kinds = (str.islower, str.isupper, str.isdigit)
    mixed = all(any(map(kind, text)) for kind in kinds)
    return mixed and 3 * len(_CHANGE.findall(text)) > len(text)


def matches(pattern: re.Pattern[str], text: str) -> Iterator[str]:
    """Yield what a pattern matches in a text."""
    return (match[0] for match in pattern.finditer(text))
