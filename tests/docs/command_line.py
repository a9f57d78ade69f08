"""What our two commands offer, read from typer's objects: no terminal has a say in it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

import typer
from typer.core import TyperOption
from typer.models import ParameterInfo

from telemetry_spool import cli
from uploader import app
from uploader.options import shown

_EXAMPLES = re.compile(r"Examples?: ")


@dataclass(frozen=True, slots=True)
class Parameter:
    """An argument or an option of a subcommand; `kind` is the type that our function gives it."""

    given: Any  # typer's parameter; which class of click's it is depends on typer's version
    kind: Any
    declared: ParameterInfo | None

    @property
    def help(self) -> str:
        """What its help says."""
        return str(self.given.help)

    @property
    def is_argument(self) -> bool:
        """Tell whether it is given by its place instead of its name."""
        return not isinstance(self.given, TyperOption)

    @property
    def is_required(self) -> bool:
        """Tell whether the command does nothing without it."""
        return bool(self.given.required)

    @property
    def is_setting(self) -> bool:
        """Tell whether it stands for a setting."""
        panel = getattr(self.given, "rich_help_panel", None)
        return panel is not None and panel.startswith("Settings")

    @property
    def names(self) -> list[str]:
        """How it is typed, with what follows it: `--limit NUMBER`."""
        if self.is_argument:
            return [re.sub(r"[][]", "", self.given.metavar or self.given.name.upper())]
        value = "" if self.given.is_flag else f" {self.given.metavar or self._placeholder()}"
        return [f"{name}{value}" for name in (*self.given.opts, *self.given.secondary_opts)]

    @property
    def notes(self) -> Iterator[str]:
        """Its limits and its default, a sentence each, where its help does not say them."""
        if self.declared is not None and self.declared.min is not None:
            most = self.declared.max
            yield f"At least {self.declared.min}{'' if most is None else f', at most {most}'}."
        if isinstance(self.given.default, bool):
            spelt = self.given.opts if self.given.default else self.given.secondary_opts
            if spelt:
                yield f"Default: `{spelt[0]}`."
        elif self.given.default is not None:
            yield f"Default: `{shown(self.given.default)}`."
        if not self.is_argument and self.given.multiple and "again" not in self.help:
            yield "May be given again."

    def _placeholder(self) -> str:
        kinds = {self.kind, *get_args(self.kind)}
        kinds |= {inner for kind in kinds for inner in get_args(kind)}
        for kind in kinds:
            if isinstance(kind, type) and issubclass(kind, Enum):
                return "|".join(member.value for member in kind)
        if Path in kinds:
            return "PATH"
        return "NUMBER" if kinds & {int, float} else "TEXT"


def _parameter(given: Any, annotation: Any) -> Parameter:
    if get_origin(annotation) is not Annotated:
        return Parameter(given, annotation, None)
    kind, *told = get_args(annotation)
    return Parameter(given, kind, next(info for info in told if isinstance(info, ParameterInfo)))


@dataclass(frozen=True, slots=True)
class Subcommand:
    """A command line: one of our two commands, a group of subcommands, or a subcommand."""

    name: str  # in full: "telemetry-spool source show"
    given: Any

    @property
    def paragraphs(self) -> list[str]:
        """What its help says, without the examples; each in one line."""
        return [text for text in self._said() if not _EXAMPLES.match(text)]

    @property
    def examples(self) -> list[str]:
        """The examples of its help, one command each."""
        return [
            example
            for text in self._said()
            if _EXAMPLES.match(text)
            for example in _EXAMPLES.sub("", text).split("; ")
        ]

    @property
    def has_subcommands(self) -> bool:
        """Tell whether it is there for its subcommands only."""
        return hasattr(self.given, "commands")

    @property
    def parameters(self) -> list[Parameter]:
        """Its arguments and options, in the order of its help."""
        ours = inspect.signature(self.given.callback.__wrapped__, eval_str=True).parameters
        return [_parameter(given, ours[given.name].annotation) for given in self.given.params]

    def _said(self) -> list[str]:
        text = inspect.cleandoc(self.given.help or "")
        return [" ".join(part.split()) for part in text.split("\n\n")]


def subcommands(name: str, command_line: typer.Typer) -> list[Subcommand]:
    """Return the command itself and all its subcommands, in the order of its help."""
    return list(_walk(Subcommand(name, typer.main.get_command(command_line))))


def _walk(found: Subcommand) -> Iterator[Subcommand]:
    yield found
    for name, given in getattr(found.given, "commands", {}).items():
        yield from _walk(Subcommand(f"{found.name} {name}", given))


SPOOL = subcommands("telemetry-spool", cli.app)
UPLOADER = subcommands("telemetry-uploader", app.app)
