"""The peers' programs: where they are looked for and how they are started."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.drain.debian import Tree


@dataclass(frozen=True, slots=True)
class Program:
    """A peer's program: where it is looked for and how it is started."""

    name: str
    title: str
    arguments: Sequence[str]
    """With @CONFIG@, @DIRECTORY@, and, for Debian's, @MODULES@."""
    version: Sequence[str]
    from_debian: bool = False

    def argv(self, tree: Tree | None) -> list[str]:
        """Return how it is started without arguments; nothing if it is not there."""
        if self.from_debian and tree:
            return tree.argv(self.name)
        found = shutil.which(self.name)
        return [found] if found else []


SYSLOG_NG = Program(
    "syslog-ng",
    "syslog-ng",
    (
        "--foreground",
        "--no-caps",
        "--cfgfile=@CONFIG@",
        "--persist-file=@DIRECTORY@/persist",
        "--pidfile=@DIRECTORY@/pid",
        "--control=@DIRECTORY@/control",
    ),
    ("--version",),
    from_debian=True,
)
RSYSLOG = Program(
    "rsyslogd",
    "rsyslog",
    ("-n", "-f", "@CONFIG@", "-i", "@DIRECTORY@/pid"),
    ("-v",),
    from_debian=True,
)
FLUENT_BIT = Program("fluent-bit", "Fluent Bit", ("--config=@CONFIG@", "--quiet"), ("--version",))
VECTOR = Program("vector", "Vector", ("--quiet", "--config", "@CONFIG@"), ("--version",))
OTELCOL = Program("otelcol", "OTel Collector", ("--config=@CONFIG@",), ("--version",))
CONTRIB = Program("otelcol-contrib", "OTel Collector", OTELCOL.arguments, ("--version",))

PROGRAMS = (SYSLOG_NG, RSYSLOG, FLUENT_BIT, VECTOR, OTELCOL, CONTRIB)
