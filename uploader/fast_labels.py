"""The labels of lines as `msgspec` reads them: what is not needed is checked and never built."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from msgspec import DecodeError, Meta, Struct, json

from telemetry_spool.events import LABEL_CHARACTERS
from telemetry_spool.headers import OWN_AGENT, agent

_Label = Annotated[str, Meta(max_length=LABEL_CHARACTERS)]


class _Package(Struct, gc=False):
    package_name: str
    package_version: str


class _Dated(Struct, frozen=True, gc=False):
    date: _Label = ""


class _Context(_Dated, frozen=True, gc=False):
    flower: _Package | None = None
    package: _Package | None = None


class _Line(Struct, gc=False):
    """A line whose request says nothing of the package that made it."""

    event_type: _Label = ""
    context: _Dated = _Dated()

    @property
    def date(self) -> str:
        return self.context.date

    @property
    def agent(self) -> str:
        return OWN_AGENT


class _Event(_Line, gc=False):
    context: _Context = _Context()

    @property
    def agent(self) -> str:
        package = self.context.flower or self.context.package
        return agent(package.package_name, package.package_version) if package else OWN_AGENT


_DECODE = {False: json.Decoder(_Line).decode, True: json.Decoder(_Event).decode}

# Python refuses numbers of more digits than this, and so the other way of reading labels does.
_MOST_BYTES = 4_300


def read_all(lines: Sequence[bytes], *, agents: bool) -> Sequence[_Line] | None:
    """Return the labels of lines that are all events; None if one is odd in any way.

    Without `agents` the events' own User-Agents are not looked for.
    """
    decode = _DECODE[agents]
    if max(map(len, lines)) > _MOST_BYTES:
        return None
    try:
        b"\n".join(lines).decode()  # text that is not needed is not checked for UTF-8 below
        return [decode(line) for line in lines]
    except (DecodeError, UnicodeDecodeError, RecursionError):
        return None
