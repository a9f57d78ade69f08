"""Find what looks personal in a text: names, paths, addresses and secrets."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from telemetry_spool.identifiers import emails, ip_addresses, mac_addresses, matches, secrets


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose machine it is: what gives them away. `macs` are twelve hex digits each."""

    user_names: frozenset[str] = frozenset()
    homes: frozenset[str] = frozenset()
    host_names: frozenset[str] = frozenset()
    macs: frozenset[str] = frozenset()


NOBODY = Owner()
"""Nothing is known: only what looks personal by itself is found."""


@dataclass(frozen=True, slots=True)
class Trace:
    """What a text gives away: what it looks like ("an e-mail address"), and the words."""

    looks_like: str
    words: str


def traces(text: str, owner: Owner = NOBODY, *, free: bool = True) -> tuple[Trace, ...]:
    """Return what looks personal in a text, each kind once.

    `free` is for texts that a user or their program wrote. Others, such as the names and numbers of
    an operating system, have version numbers that are no addresses, and words that are names of
    people and hosts too: `linux`, `ubuntu`.
    """
    find = _find_again if len(text) <= _SHORT else _find
    return find(text, owner, free)


# Most texts of most events are the same few: the context of a process.
_SHORT = 200


def _find(text: str, owner: Owner, free: bool) -> tuple[Trace, ...]:
    finders: tuple[tuple[str, Callable[[str], Iterator[str]]], ...] = (
        ("a key or token", secrets),
        ("the home directory of this user", lambda rest: _own_homes(rest, owner.homes)),
        ("a home directory", _homes),
        ("an e-mail address", emails),
        ("the name of this user", lambda rest: _names(rest, owner.user_names, free)),
        ("the name of this host", lambda rest: _names(rest, owner.host_names, free)),
        ("a MAC address", lambda rest: mac_addresses(rest, owner.macs)),
        ("an IP address", ip_addresses if free else lambda _: iter(())),
    )
    found = []
    for looks_like, finder in finders:
        words = list(finder(text))
        if words:
            found.append(Trace(looks_like, words[0]))
        for each in words:
            text = text.replace(each, " ")  # a name in a path is not found again as a name
    return tuple(found)


_find_again = lru_cache(maxsize=4096)(_find)

# A host's name in front of a path makes it no directory of this machine: https://example.org/home/x
_HOST_OF_URL = re.compile(r"\b(?!file:)[a-z][a-z0-9+.-]{1,15}://[^/\s]{1,300}", re.IGNORECASE)
_HOME = re.compile(
    r"""(?<![\w.-])(?:/(?:[\w.-]{1,100}/){0,8}(?:home|Users)/|[A-Za-z]:[\\/]{1,4}Users[\\/]{1,4})"""
    r"""(?!Shared\b|Public\b)[^/\\\s"'<>|:;,]{1,100}""",
)


def _own_homes(text: str, homes: frozenset[str]) -> Iterator[str]:
    for home in sorted(homes):
        if home in text and re.search(rf"(?<![\w.-]){re.escape(home)}(?![\w-])", text):
            yield home


def _homes(text: str) -> Iterator[str]:
    if "home" in text or "Users" in text:
        yield from matches(_HOME, _HOST_OF_URL.sub("x", text))


# Shorter names are the same as ordinary words too often.
_DISTINCTIVE = 4

# What a system that is as it was delivered may say of itself. Accounts and hosts have these names.
_ORDINARY = frozenset(
    {"admin", "amazon", "arch", "azure", "centos", "cloud", "container", "darwin", "debian"}
    | {"default", "docker", "fedora", "flower", "flwr", "generic", "guest", "linux", "localhost"}
    | {"macos", "microsoft", "node", "raspberrypi", "root", "server", "standard", "superlink"}
    | {"supernode", "ubuntu", "user", "vagrant", "virtual", "windows", "workstation"}
)


def _names(text: str, names: frozenset[str], free: bool) -> Iterator[str]:
    lower = text.lower()
    for name in sorted(names, key=len, reverse=True):
        sought = name.lower()
        distinctive = len(sought) >= _DISTINCTIVE and sought not in _ORDINARY
        if sought in lower and (free or distinctive):
            found = re.search(rf"(?<![a-z0-9]){re.escape(sought)}(?![a-z0-9])", lower)
            if found:
                yield text[found.start() : found.end()]
