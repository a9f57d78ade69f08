"""The options that the subcommands share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import typer

Flags = Mapping[str, object]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Log every step.")]
